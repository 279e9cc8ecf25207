import { describe, expect, it } from 'vitest';
import type { Store } from '../../../src/ports/store.ts';
import { batchRow, claim, NOW, type Subject, segmentRow, startBatch } from './subject.ts';

function start(store: Store, id: string, count: number): Promise<void> {
  return startBatch(
    store,
    id,
    Array.from({ length: count }, (_, index) => segmentRow(id, index)),
  );
}

const ids = (leases: readonly { id: string }[]) => leases.map((lease) => lease.id);

export function claimContract(subject: Subject): void {
  describe('claims of segments', () => {
    it('never give one segment to two who claim at the same moment', async () => {
      const stores = [subject.store, await subject.another()];
      await start(subject.store, 'batch_1', 25);
      await start(subject.store, 'batch_2', 15);
      const claims = await Promise.all(
        Array.from({ length: 12 }, async (_, index) => {
          const store = stores[index % 2] as Store;
          return ids(await claim(store, { token: `worker-${index}`, limit: 4 }));
        }),
      );
      expect(claims.flat()).toHaveLength(40);
      expect(new Set(claims.flat()).size).toBe(40);
    });

    it('take a batch by its lines, up to the limit', async () => {
      const { store } = subject;
      await startBatch(
        store,
        'batch_1',
        [2, 0, 1].map((index) => segmentRow('batch_1', index)),
      );
      expect(ids(await claim(store, { limit: 2 }))).toEqual(['batch_1-0', 'batch_1-1']);
      expect(ids(await claim(store, { limit: 2 }))).toEqual(['batch_1-2']);
      expect(await claim(store, { limit: 2 })).toEqual([]);
      expect(await claim(store, { limit: 0 })).toEqual([]);
    });

    it('give batches their turns: the one served longest ago first', async () => {
      const { store } = subject;
      await start(store, 'batch_1', 5);
      await start(store, 'batch_2', 5);
      const turns: string[] = [];
      for (let count = 0; count < 4; count++) turns.push(...ids(await claim(store)));
      expect(turns).toEqual(['batch_1-0', 'batch_2-0', 'batch_1-1', 'batch_2-1']);
      await start(store, 'batch_3', 2);
      expect(ids(await claim(store))).toEqual(['batch_3-0']);
      expect(ids(await claim(store))).toEqual(['batch_1-2']);
    });

    it('divide one claim among the batches, so that a large one does not take it all', async () => {
      const { store } = subject;
      await start(store, 'batch_1', 50);
      await start(store, 'batch_2', 2);
      const claimed = ids(await claim(store, { limit: 6 }));
      expect(claimed.filter((id) => id.startsWith('batch_2'))).toEqual(['batch_2-0', 'batch_2-1']);
      expect(claimed).toHaveLength(6);
    });

    it('leave out excluded queues, also where those come first', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [
        segmentRow('batch_1', 0, { queue: 'full' }),
        segmentRow('batch_1', 1, { queue: 'slow' }),
        segmentRow('batch_1', 2, { queue: 'free' }),
        segmentRow('batch_1', 3, { queue: 'also free' }),
      ]);
      await startBatch(store, 'batch_2', [segmentRow('batch_2', 0, { queue: 'full' })]);
      const exclude = ['full', 'slow'];
      expect(ids(await claim(store, { exclude, limit: 9 }))).toEqual(['batch_1-2', 'batch_1-3']);
      expect(await claim(store, { exclude, limit: 9 })).toEqual([]);
      expect(ids(await claim(store, { exclude: ['full'], limit: 9 }))).toEqual(['batch_1-1']);
    });

    it('let tenants take turns, however many batches each has', async () => {
      const { store } = subject;
      for (const n of [1, 2, 3]) await start(store, `batch_${n}`, 5);
      const other = [0, 1, 2].map((index) => segmentRow('batch_4', index, { tenantId: 'tenant-b' }));
      await startBatch(store, 'batch_4', other, { tenantId: 'tenant-b' });
      expect(ids(await claim(store, { limit: 2 }))).toEqual(['batch_1-0', 'batch_4-0']);
      const turns: string[] = [];
      for (let count = 0; count < 4; count++) turns.push(...ids(await claim(store)));
      expect(turns).toEqual(['batch_2-0', 'batch_4-1', 'batch_3-0', 'batch_4-2']);
    });

    it('give a batch of high priority more turns than its tenant’s others, which wait but do not starve', async () => {
      const { store } = subject;
      await start(store, 'batch_1', 30);
      const urgent = Array.from({ length: 30 }, (_, index) => segmentRow('batch_2', index));
      await startBatch(store, 'batch_2', urgent, { priority: 1 });
      const turns: string[] = [];
      for (let count = 0; count < 20; count++) turns.push(...ids(await claim(store)));
      const ordinary = turns.filter((id) => id.startsWith('batch_1')).length;
      expect(ordinary).toBeGreaterThanOrEqual(2);
      expect(ordinary).toBeLessThanOrEqual(4);
    });

    it('take from a queue for newcomers one segment of each batch and tenant that is not held', async () => {
      const { store } = subject;
      await start(store, 'batch_1', 3);
      await start(store, 'batch_2', 3);
      const other = [0, 1].map((index) => segmentRow('batch_3', index, { tenantId: 'tenant-b' }));
      await startBatch(store, 'batch_3', other, { tenantId: 'tenant-b' });
      const newcomers = ['pool'];
      const held = [{ queue: 'pool', batchId: 'batch_1' }];
      expect(ids(await claim(store, { limit: 9, newcomers, held })).toSorted()).toEqual(['batch_2-0', 'batch_3-0']);
      const tenant = [{ queue: 'pool', tenantId: 'tenant-a' }];
      expect(ids(await claim(store, { limit: 9, newcomers, held: tenant }))).toEqual(['batch_3-1']);
      expect(await claim(store, { limit: 9, newcomers, held: tenant })).toEqual([]);
      const elsewhere = [{ queue: 'other', tenantId: 'tenant-a' }];
      expect(ids(await claim(store, { limit: 9, newcomers, held: elsewhere })).toSorted()).toEqual([
        'batch_1-0',
        'batch_2-1',
      ]);
    });

    it('leave out batches that are paused, stopped, cancelled or not started', async () => {
      const { store } = subject;
      for (const n of [1, 2, 4]) await start(store, `batch_${n}`, 1);
      await startBatch(store, 'batch_3', [segmentRow('batch_3', 0)], { expiresAt: NOW });
      await store.batches.insert(batchRow('batch_5'));
      await store.segments.insertMany([segmentRow('batch_5', 0)]);
      await store.batches.setPaused('all', 'batch_1', NOW);
      await store.batches.cancel('all', 'batch_2', NOW);
      await store.batches.stopExpired(NOW, 9);
      expect(ids(await claim(store, { limit: 9 }))).toEqual(['batch_4-0']);
      await store.batches.setPaused('all', 'batch_1', null);
      expect(ids(await claim(store, { limit: 9 }))).toEqual(['batch_1-0']);
    });
  });
}
