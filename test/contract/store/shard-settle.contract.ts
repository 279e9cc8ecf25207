import { describe, expect, it } from 'vitest';
import type { Store } from '../../../src/ports/store.ts';
import type { FollowUp } from '../../../src/ports/store-shards.ts';
import { batchRow, claim, claimShards, NOW, type Subject, segmentRow, shardRow, startBatch } from './subject.ts';

const NOTHING: FollowUp = { segments: [], shards: [] };

/** Ids of the batches due now, leased to `token` for ten minutes. */
async function batchesDue(store: Store, now = NOW, token = 'batch-work'): Promise<string[]> {
  const rows = await store.batches.claimDue({ now, until: now + 600, token, limit: 10 });
  return rows.map((row) => row.id);
}

function settle(store: Store, id: string, change: Partial<Parameters<Store['shards']['settle']>[2]> = {}) {
  const settled = { state: 'done' as const, now: NOW + 5, nextAt: NOW + 50, followUp: NOTHING, ...change };
  return store.shards.settle(id, 'worker', settled);
}

async function openWork(store: Store, id = 'batch_1'): Promise<number | undefined> {
  return (await store.batches.get('all', id))?.openSegments;
}

export function shardSettleContract(subject: Subject): void {
  describe('the open work of a batch with shards', () => {
    it('shrinks with each shard that is done; the last makes the batch due at once', async () => {
      const { store } = subject;
      const rows = [0, 1].map((index) => shardRow('batch_1', index, { state: 'collecting' }));
      await startBatch(store, 'batch_1', [], {}, rows);
      await claimShards(store);
      expect(await settle(store, 'batch_1-s0')).toBe(true);
      expect(await openWork(store)).toBe(1);
      expect(await batchesDue(store, NOW + 9)).toEqual([]);
      expect(await settle(store, 'batch_1-s1')).toBe(true);
      expect(await openWork(store)).toBe(0);
      expect(await batchesDue(store, NOW + 5)).toEqual(['batch_1']);
      const done = { state: 'done' as const, endedAt: NOW + 5, nextAt: NOW + 50 };
      expect(await store.shards.get('batch_1-s0')).toEqual(shardRow('batch_1', 0, done));
      expect((await store.batches.get('all', 'batch_1'))?.status).toBe('finalizing');
    });

    it('is looked at when the last shard is done, however late the batch was to be looked at', async () => {
      const { store } = subject;
      await store.batches.insert(batchRow('batch_1'));
      await batchesDue(store);
      await store.shards.insertMany([shardRow('batch_1', 0, { state: 'running' })]);
      const start = { now: NOW, total: 10, refused: 0, model: 'm', lanes: [], lanesKey: 'k', segments: 1 };
      await store.batches.start('batch_1', 'batch-work', start);
      await store.batches.release('batch_1', 'batch-work', NOW + 999);
      await claimShards(store);
      await settle(store, 'batch_1-s0');
      expect(await batchesDue(store, NOW + 4)).toEqual([]);
      expect(await batchesDue(store, NOW + 5)).toEqual(['batch_1']);
    });

    it('takes the follow-up of a shard in the same write', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [], {}, [shardRow('batch_1', 0, { state: 'running' })]);
      await claimShards(store);
      const segment = segmentRow('batch_1', 1, { candidate: 2 });
      const shards = [shardRow('batch_1', 2, { candidate: 1 }), shardRow('batch_1', 3)];
      expect(await settle(store, 'batch_1-s0', { followUp: { segments: [segment], shards } })).toBe(true);
      expect(await openWork(store)).toBe(3);
      expect(await store.shards.get('batch_1-s2')).toEqual(shards[0]);
      // Some of its lines may have results already.
      expect(await claim(store)).toMatchObject([{ ...segment, resumed: true, granted: 0 }]);
      expect((await claimShards(store)).map((shard) => shard.id)).toEqual(['batch_1-s2', 'batch_1-s3']);
      expect(await batchesDue(store, NOW + 9)).toEqual([]);
    });

    it('does not change when the same settlement comes twice, or from one who lost the lease', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)], {}, [
        shardRow('batch_1', 0, { state: 'running' }),
      ]);
      await claimShards(store);
      const followUp = { segments: [segmentRow('batch_1', 1)], shards: [shardRow('batch_1', 1)] };
      expect(await settle(store, 'batch_1-s0', { followUp })).toBe(true);
      expect(await settle(store, 'batch_1-s0', { followUp })).toBe(true);
      expect(await openWork(store)).toBe(3);
      await store.shards.release('batch_1-s0', 'worker');
      expect(await settle(store, 'batch_1-s0')).toBe(false);
      expect(await settle(store, 'batch_1-s1')).toBe(false);
      expect(await openWork(store)).toBe(3);
    });

    it('takes all of a settlement or nothing', async () => {
      const { store } = subject;
      const row = shardRow('batch_1', 0, { state: 'running' });
      await startBatch(store, 'batch_1', [], {}, [row, shardRow('batch_1', 1)]);
      await claimShards(store);
      const followUp = { segments: [segmentRow('batch_1', 1)], shards: [shardRow('batch_1', 1)] };
      await expect(settle(store, 'batch_1-s0', { followUp })).rejects.toThrow();
      await expect(settle(store, 'batch_1-s1', { state: 'abandoned' })).rejects.toThrow('from pending to abandoned');
      expect(await openWork(store)).toBe(2);
      expect(await store.shards.get('batch_1-s0')).toEqual(row);
      expect(await claim(store)).toEqual([]);
    });

    it('no longer counts an abandoned shard, now and when it is done', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)], {}, [
        shardRow('batch_1', 0, { state: 'running' }),
      ]);
      await claimShards(store);
      const followUp = { segments: [segmentRow('batch_1', 1)], shards: [] };
      expect(await settle(store, 'batch_1-s0', { state: 'abandoned', followUp })).toBe(true);
      const abandoned = { state: 'abandoned' as const, nextAt: NOW + 50 };
      expect(await store.shards.get('batch_1-s0')).toEqual(shardRow('batch_1', 0, abandoned));
      expect(await openWork(store)).toBe(2);
      await store.shards.save('batch_1-s0', 'worker', { endedAt: NOW + 2 });
      expect(await settle(store, 'batch_1-s0', { now: NOW + 6 })).toBe(true);
      expect(await store.shards.get('batch_1-s0')).toMatchObject({ state: 'done', endedAt: NOW + 2 });
      expect(await openWork(store)).toBe(2);
    });

    it('of a stopped batch is waited for until its last shard is settled; abandoned ones do not hold it', async () => {
      const { store } = subject;
      const states = ['submitting', 'running', 'collecting', 'abandoned', 'done'] as const;
      const rows = states.map((state, index) => shardRow('batch_1', index, { state }));
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)], {}, rows);
      await claimShards(store);
      await store.batches.cancel('all', 'batch_1', NOW);
      for (const index of [0, 1, 2]) {
        expect(await batchesDue(store, NOW + 99)).toEqual([]);
        expect(await settle(store, `batch_1-s${index}`)).toBe(true);
      }
      expect(await batchesDue(store, NOW)).toEqual(['batch_1']);
      const cancelled = { status: 'cancelled' as const, completed: 0, failed: 60, outputFile: null, errorFile: null };
      expect(await store.batches.finish('batch_1', 'batch-work', { now: NOW, ...cancelled })).toBe(true);
      expect((await store.shards.list('batch_1')).length).toBe(5);
      expect(await openWork(store)).toBe(0);

      const followUp = { segments: [segmentRow('batch_1', 9)], shards: [shardRow('batch_1', 9)] };
      expect(await settle(store, 'batch_1-s3', { followUp })).toBe(true);
      expect(await openWork(store)).toBe(0);
      expect(await store.shards.get('batch_1-s9')).toBeNull();
      await store.shards.recover({ others: '' });
      const left = await claimShards(store, { now: NOW + 50 });
      expect(left.map(({ state }) => state)).toEqual(['done', 'done', 'done', 'done', 'done']);
    });

    it('of a batch past its window is waited for as well', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [], { expiresAt: NOW }, [shardRow('batch_1', 0, { state: 'running' })]);
      await claimShards(store);
      await store.batches.stopExpired(NOW, 9);
      expect(await batchesDue(store, NOW + 9)).toEqual([]);
      await settle(store, 'batch_1-s0');
      expect(await batchesDue(store, NOW + 9)).toEqual(['batch_1']);
    });

    it('of a stopped batch ends with its pending shards that nobody holds', async () => {
      const { store } = subject;
      const refs = { input: 'file-1' };
      await startBatch(store, 'batch_1', [], {}, [shardRow('batch_1', 0, { refs }), shardRow('batch_1', 1)]);
      await startBatch(store, 'batch_2', [], {}, [shardRow('batch_2', 0, { nextAt: NOW + 1 })]);
      await claimShards(store, { limit: 1 });
      await store.batches.cancel('all', 'batch_1', NOW);
      expect(await batchesDue(store, NOW + 29)).toEqual([]);
      expect(await store.shards.get('batch_1-s1')).toEqual(shardRow('batch_1', 1));
      expect(await batchesDue(store, NOW + 30)).toEqual(['batch_1']);
      const done = { state: 'done' as const, endedAt: NOW + 30, nextAt: NOW + 30 };
      expect(await store.shards.get('batch_1-s0')).toEqual(shardRow('batch_1', 0, { ...done, refs }));
      expect(await store.shards.get('batch_1-s1')).toEqual(shardRow('batch_1', 1, done));
      expect(await store.shards.save('batch_1-s0', 'worker', { state: 'submitting' })).toBe(false);
      expect(await store.shards.get('batch_2-s0')).toMatchObject({ state: 'pending' });
    });

    it('leaves no pending shard of a planner that came too late', async () => {
      const { store } = subject;
      await store.batches.insert(batchRow('batch_1'));
      await store.batches.cancel('all', 'batch_1', NOW);
      expect(await batchesDue(store)).toEqual(['batch_1']);
      await store.shards.insertMany([shardRow('batch_1', 0)]);
      const cancelled = { status: 'cancelled' as const, completed: 0, failed: 0, outputFile: null, errorFile: null };
      await store.batches.finish('batch_1', 'batch-work', { now: NOW + 3, ...cancelled });
      expect(await store.shards.get('batch_1-s0')).toMatchObject({ state: 'done', endedAt: NOW + 3 });

      await store.batches.insert(batchRow('batch_2'));
      expect(await batchesDue(store)).toEqual(['batch_2']);
      await store.shards.insertMany([shardRow('batch_2', 0)]);
      await store.batches.fail('batch_2', 'batch-work', { now: NOW, errors: [] });
      expect(await store.shards.list('batch_2')).toEqual([]);
    });
  });
}
