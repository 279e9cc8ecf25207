import { describe, expect, it } from 'vitest';
import type { BatchRow } from '../../../src/ports/store-batches.ts';
import { BATCH_STATUSES } from '../../../src/protocol/batch.ts';
import { batchRow, batchUsage, NOW, type Subject, segmentRow, startBatch } from './subject.ts';

const own = { tenantId: 'tenant-a' };
const other = { tenantId: 'tenant-b' };

/** No field at its default, and sums of money beyond what a number holds. */
const fullRow: BatchRow = batchRow('batch_full', {
  keyId: 'key_1',
  outputExpiresAfterSeconds: 3_600,
  retryOf: 'batch_before',
  options: { providerOptions: { 'bedrock-us': { tags: [{ key: 'team', value: 'Grüße' }] } }, includeRaw: true },
  status: 'expired',
  stop: 'expired',
  pausedAt: NOW + 1,
  errors: [{ code: 'invalid_json', message: 'Not JSON.', param: null, line: 3 }],
  model: 'llama',
  outputFileId: 'file-out',
  errorFileId: 'file-err',
  inProgressAt: NOW + 2,
  finalizingAt: NOW + 3,
  completedAt: NOW + 4,
  failedAt: NOW + 5,
  expiredAt: NOW + 6,
  cancellingAt: NOW + 7,
  cancelledAt: NOW + 8,
  total: 10,
  completed: 6,
  failed: 4,
  usage: batchUsage(7),
  amountNano: 9_007_199_254_740_993n,
  listAmountNano: 4_000_000_000_000_000_001n,
  entries: 12,
  unpricedEntries: 2,
  lanes: [
    {
      kind: 'run',
      shared: 1,
      candidates: [
        {
          provider: 'pool',
          model: 'llama',
          mode: 'immediate',
          weight: 0.4,
          retry: { attempts: 3, onStatusCodes: [429], useRetryAfter: true },
          requestTimeoutMs: null,
          params: { defaults: {}, overrides: { seed: 1 }, drops: ['a[*].b'] },
          enterOn: 'trouble',
        },
      ],
    },
  ],
  lanesKey: 'batches/batch_full/lanes',
  openSegments: 3,
});

export function batchesContract(subject: Subject): void {
  describe('batches', () => {
    it('gives back every field of a row, and leaves a row that is there as it is', async () => {
      const { batches } = subject.store;
      expect(await batches.insert(fullRow)).toEqual(fullRow);
      expect(await batches.insert(batchRow('batch_full'))).toEqual(fullRow);
      expect(await batches.get(own, 'batch_full')).toEqual(fullRow);
      const plain = batchRow('batch_plain', { metadata: null, configName: null, route: null });
      expect(await batches.insert(plain)).toEqual(plain);
    });

    it('hides a row from other tenants in every look-up and change', async () => {
      const { batches } = subject.store;
      await batches.insert(batchRow('batch_1'));
      expect(await batches.get(other, 'batch_1')).toBeNull();
      expect(await batches.cancel(other, 'batch_1', NOW)).toBeNull();
      expect(await batches.setPaused(other, 'batch_1', NOW)).toBeNull();
      expect(await batches.list(other, { limit: 9 })).toEqual([]);
      expect(await batches.list(other, { limit: 9, after: 'batch_1' })).toBeNull();
      expect(await batches.get('all', 'batch_1')).toEqual(batchRow('batch_1'));
    });

    it('lists newest first and keeps its place under inserts', async () => {
      const { batches } = subject.store;
      for (const n of [1, 2, 3]) await batches.insert(batchRow(`batch_${n}`, { createdAt: NOW - n }));
      await batches.insert(batchRow('batch_b', { tenantId: 'tenant-b' }));
      const ids = async (query: Parameters<typeof batches.list>[1]) =>
        (await batches.list(own, query))?.map((row) => row.id);
      expect(await ids({ limit: 2 })).toEqual(['batch_3', 'batch_2']);
      await batches.insert(batchRow('batch_4'));
      expect(await ids({ limit: 2, after: 'batch_2' })).toEqual(['batch_1']);
      expect(await ids({ limit: 2, after: 'batch_2', order: 'asc' })).toEqual(['batch_3', 'batch_4']);
    });

    it('cancels a batch that has not ended its work, and no other', async () => {
      const { batches } = subject.store;
      for (const status of BATCH_STATUSES) {
        const before = await batches.insert(batchRow(`batch_${status}`, { status }));
        const after = await batches.cancel(own, before.id, NOW + 5);
        const cancels = status === 'validating' || status === 'in_progress';
        const change = { status: 'cancelling', stop: 'cancelled', cancellingAt: NOW + 5 };
        expect(after).toEqual(cancels ? { ...before, ...change } : before);
        expect(await batches.cancel(own, before.id, NOW + 9)).toEqual(after);
      }
      expect(await batches.cancel(own, 'batch_none', NOW)).toBeNull();
    });

    it('pauses and resumes only while validating or in progress, and keeps the first time of a pause', async () => {
      const { batches } = subject.store;
      for (const status of BATCH_STATUSES) {
        const { id } = await batches.insert(batchRow(`batch_${status}`, { status }));
        const pauses = status === 'validating' || status === 'in_progress';
        expect((await batches.setPaused(own, id, NOW + 1))?.pausedAt).toBe(pauses ? NOW + 1 : null);
        expect((await batches.setPaused(own, id, NOW + 2))?.pausedAt).toBe(pauses ? NOW + 1 : null);
        expect((await batches.control(id))?.paused).toBe(pauses);
        expect((await batches.setPaused(own, id, null))?.pausedAt).toBeNull();
      }
      expect(await batches.setPaused(own, 'batch_none', NOW)).toBeNull();
    });

    it('stops the batches whose end has come, paused ones included, once', async () => {
      const { batches } = subject.store;
      await startBatch(subject.store, 'batch_1', [segmentRow('batch_1', 0)], { expiresAt: NOW });
      await startBatch(subject.store, 'batch_2', [segmentRow('batch_2', 0)], { expiresAt: NOW - 1 });
      await startBatch(subject.store, 'batch_3', [segmentRow('batch_3', 0)], { expiresAt: NOW + 1 });
      await batches.insert(batchRow('batch_4', { expiresAt: NOW }));
      await batches.setPaused('all', 'batch_1', NOW);
      expect(await batches.stopExpired(NOW, 1)).toEqual(['batch_2']);
      expect(await batches.stopExpired(NOW, 10)).toEqual(['batch_1']);
      expect(await batches.stopExpired(NOW, 10)).toEqual([]);
      expect(await batches.control('batch_1')).toEqual({ status: 'in_progress', stop: 'expired', paused: true });
      expect(await batches.control('batch_none')).toBeNull();
    });

    it('counts batches by status, zeros included', async () => {
      const { batches } = subject.store;
      await batches.insert(batchRow('batch_1'));
      await batches.insert(batchRow('batch_2'));
      await batches.insert(batchRow('batch_3', { status: 'completed' }));
      expect(await batches.countByStatus()).toEqual({
        validating: 2,
        failed: 0,
        in_progress: 0,
        finalizing: 0,
        completed: 1,
        expired: 0,
        cancelling: 0,
        cancelled: 0,
      });
    });
  });
}
