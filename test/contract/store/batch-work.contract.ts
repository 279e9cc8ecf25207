import { describe, expect, it } from 'vitest';
import type { Store } from '../../../src/ports/store.ts';
import {
  batchRow,
  claim,
  emptyCommit,
  fileRow,
  LATER,
  NOW,
  type Subject,
  segmentRow,
  shardRow,
  startBatch,
} from './subject.ts';

/** Ids of the batches due now, leased to `token`. */
async function claimDue(store: Store, token: string, now = NOW, limit = 10): Promise<string[]> {
  const rows = await store.batches.claimDue({ now, until: now + 600, token, limit });
  return rows.map((row) => row.id);
}

const start = { now: NOW + 1, total: 20, refused: 3, model: 'm', lanes: [], lanesKey: 'lanes', segments: 2 };
const files = { outputFile: fileRow('file-out'), errorFile: fileRow('file-err') };
const completed = { now: NOW + 9, status: 'completed' as const, completed: 17, failed: 3, ...files };

export function batchWorkContract(subject: Subject): void {
  describe('work on whole batches', () => {
    it('is leased to one of many who ask at the same moment', async () => {
      const stores = [subject.store, await subject.another(), await subject.another()];
      for (const n of [1, 2, 3, 4, 5]) await subject.store.batches.insert(batchRow(`batch_${n}`));
      const claims = await Promise.all(stores.map((store, index) => claimDue(store, `token-${index}`, NOW, 2)));
      expect(claims.map((ids) => ids.length).toSorted()).toEqual([1, 2, 2]);
      expect(new Set(claims.flat()).size).toBe(5);
    });

    it('comes back when its lease has ended, or when it was given back and its time has come', async () => {
      const { store } = subject;
      await store.batches.insert(batchRow('batch_1'));
      expect(await claimDue(store, 'first')).toEqual(['batch_1']);
      expect(await claimDue(store, 'second', NOW + 599)).toEqual([]);
      expect(await claimDue(store, 'second', NOW + 600)).toEqual(['batch_1']);
      await store.batches.release('batch_1', 'first', 0);
      expect(await claimDue(store, 'third', NOW + 601)).toEqual([]);
      await store.batches.release('batch_1', 'second', NOW + 700);
      expect(await claimDue(store, 'third', NOW + 699)).toEqual([]);
      expect(await claimDue(store, 'third', NOW + 700)).toEqual(['batch_1']);
    });

    it('stays with whoever renews its lease', async () => {
      const { store } = subject;
      await store.batches.insert(batchRow('batch_1'));
      await claimDue(store, 'first');
      await store.batches.renew(['batch_1'], 'first', NOW + 900);
      await store.batches.renew(['batch_1'], 'second', NOW);
      await store.batches.renew([], 'first', NOW);
      expect(await claimDue(store, 'second', NOW + 899)).toEqual([]);
      expect(await claimDue(store, 'second', NOW + 900)).toEqual(['batch_1']);
    });

    it('of others is taken over at a start, whenever their lease would end', async () => {
      const { store } = subject;
      for (const n of [1, 2]) await store.batches.insert(batchRow(`batch_${n}`));
      expect(await claimDue(store, 'before', NOW, 1)).toEqual(['batch_1']);
      expect(await claimDue(store, 'now', NOW, 1)).toEqual(['batch_2']);
      await store.batches.recover({ others: 'now' });
      expect(await claimDue(store, 'now', NOW + 1)).toEqual(['batch_1']);
    });

    it('is due oldest first', async () => {
      const { store } = subject;
      for (const n of [3, 1, 2]) await store.batches.insert(batchRow(`batch_${n}`, { createdAt: NOW - 10 + n }));
      expect(await claimDue(store, 'a', NOW, 2)).toEqual(['batch_1', 'batch_2']);
      expect(await claimDue(store, 'a', NOW, 2)).toEqual(['batch_3']);
    });

    it('is due in progress once no segment is open, and at once when a commit ends the last', async () => {
      const { store } = subject;
      await store.batches.insert(batchRow('batch_1'));
      await claimDue(store, 'work');
      await store.segments.insertMany([segmentRow('batch_1', 0)]);
      await store.batches.start('batch_1', 'work', { ...start, segments: 1 });
      await store.batches.release('batch_1', 'work', NOW + 999);
      expect(await claimDue(store, 'work', NOW + 999)).toEqual([]);
      const leases = await claim(store);
      const segments = leases.map(({ id, token }) => ({ id, token, granted: 10, finished: true }));
      expect((await store.segments.commit(emptyCommit(leases, { segments }))).ok).toBe(true);
      expect(await claimDue(store, 'work')).toEqual(['batch_1']);
      expect((await store.batches.get('all', 'batch_1'))?.openSegments).toBe(0);
    });

    it('of large batches that run is told how far it is done from their first line on', async () => {
      const { store } = subject;
      const heads = async () =>
        (await store.batches.settledHeads({ lines: 30, limit: 9 })).map(({ batch, lines }) => [batch.id, lines]);
      const [first, second, third] = [0, 1, 2].map((index) => segmentRow('batch_1', index));
      await startBatch(
        store,
        'batch_1',
        [third, second, first].flatMap((row) => row ?? []),
        { total: 30 },
      );
      await startBatch(store, 'batch_2', [segmentRow('batch_2', 0)], { total: 29 });
      expect(await heads()).toEqual([['batch_1', 0]]);
      const leases = (await claim(store, { limit: 9 })).filter(({ batchId }) => batchId === 'batch_1');
      const done = async (index: number) => {
        const own = leases.filter(({ firstLine }) => firstLine === index * 10);
        const segments = own.map(({ id, token }) => ({ id, token, granted: 10, finished: true }));
        expect((await store.segments.commit(emptyCommit(own, { batchId: 'batch_1', segments }))).ok).toBe(true);
      };
      await done(1);
      expect(await heads()).toEqual([['batch_1', 0]]);
      await done(0);
      expect(await heads()).toEqual([['batch_1', 20]]);
      await store.shards.insertMany([shardRow('batch_1', 1)]);
      expect(await heads()).toEqual([['batch_1', 10]]);
      await store.batches.cancel('all', 'batch_1', NOW);
      expect(await heads()).toEqual([]);
    });

    it('on a stopped batch waits for the live leases of its segments, and ends those that lapsed', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)]);
      const leases = await claim(store, { until: NOW + 30 });
      await store.batches.cancel('all', 'batch_1', NOW);
      expect(await claimDue(store, 'work', NOW + 30)).toEqual([]);
      expect((await store.segments.commit(emptyCommit(leases, { leaseUntil: NOW + 40 }))).ok).toBe(true);
      expect(await claimDue(store, 'work', NOW + 40)).toEqual([]);
      expect(await claimDue(store, 'work', NOW + 41)).toEqual(['batch_1']);
      const late = await store.segments.commit(emptyCommit(leases, { completed: 1 }));
      expect(late).toEqual({ ok: false, lost: ['batch_1-0'] });
    });

    it('starts a batch with the rows of its work, and keeps those that are there', async () => {
      const { store } = subject;
      await store.batches.insert(batchRow('batch_1'));
      await claimDue(store, 'mine');
      await store.segments.insertMany([segmentRow('batch_1', 0, { queue: 'before' })]);
      const rows = {
        segments: [segmentRow('batch_1', 0), segmentRow('batch_1', 10)],
        shards: [shardRow('batch_1', 20)],
      };
      expect(await store.batches.start('batch_1', 'stale', { ...start, segments: 3, rows })).toBe(false);
      expect(await store.shards.list('batch_1')).toEqual([]);
      expect(await store.batches.start('batch_1', 'mine', { ...start, segments: 3, rows })).toBe(true);
      expect(await store.shards.list('batch_1')).toHaveLength(1);
      const leases = await claim(store, { limit: 9 });
      expect(leases.map(({ id, queue }) => [id, queue])).toEqual([
        [rows.segments[0]?.id, 'before'],
        [rows.segments[1]?.id, rows.segments[1]?.queue],
      ]);
    });

    it('keeps an estimate when its lease is given back, and only then', async () => {
      const { store } = subject;
      const figures = { low: 1, expected: 2, high: 3 };
      const estimate = { inputTokens: 7, outputTokens: figures, amountNano: { ...figures, low: null } };
      await store.batches.insert(batchRow('batch_1'));
      await claimDue(store, 'mine');
      await store.batches.release('batch_1', 'stale', 0, estimate);
      expect((await store.batches.get('all', 'batch_1'))?.estimate ?? null).toBeNull();
      await store.batches.release('batch_1', 'mine', 0, estimate);
      await claimDue(store, 'mine');
      await store.batches.release('batch_1', 'mine', 0);
      expect((await store.batches.get('all', 'batch_1'))?.estimate).toEqual(estimate);
    });

    it('is finalizing when it is leased with nothing open, no stop, and no answers to fall back on', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', []);
      expect(await claimDue(store, 'mine', NOW + 8)).toEqual(['batch_1']);
      expect(await store.batches.get('all', 'batch_1')).toMatchObject({ status: 'finalizing', finalizingAt: NOW + 8 });
      expect((await store.batches.cancel('all', 'batch_1', NOW + 8))?.status).toBe('finalizing');
      expect(await store.batches.finish('batch_1', 'mine', completed)).toBe(true);

      await startBatch(store, 'batch_2', [], { expiresAt: NOW + 1 });
      expect(await store.batches.stopExpired(NOW + 9, 10)).toEqual(['batch_2']);
      expect(await claimDue(store, 'mine', NOW + 9)).toEqual(['batch_2']);
      expect(await store.batches.get('all', 'batch_2')).toMatchObject({ status: 'in_progress', finalizingAt: null });
    });

    it('starts a batch only under its lease and only from validating', async () => {
      const { store } = subject;
      const before = await store.batches.insert(batchRow('batch_1'));
      await claimDue(store, 'mine');
      expect(await store.batches.start('batch_1', 'stale', start)).toBe(false);
      expect(await store.batches.get('all', 'batch_1')).toEqual(before);
      expect(await store.batches.start('batch_1', 'mine', start)).toBe(true);
      expect(await store.batches.get('all', 'batch_1')).toEqual({
        ...before,
        status: 'in_progress',
        inProgressAt: NOW + 1,
        total: 20,
        failed: 3,
        model: 'm',
        lanesKey: 'lanes',
        openSegments: 2,
      });
      expect(await store.batches.start('batch_1', 'mine', start)).toBe(false);
    });

    it('does not start or fail a batch that was cancelled meanwhile', async () => {
      const { store } = subject;
      await store.batches.insert(batchRow('batch_1'));
      await claimDue(store, 'mine');
      await store.batches.cancel('all', 'batch_1', NOW);
      expect(await store.batches.start('batch_1', 'mine', start)).toBe(false);
      expect(await store.batches.fail('batch_1', 'mine', { now: NOW, errors: [] })).toBe(false);
      expect((await store.batches.control('batch_1'))?.status).toBe('cancelling');
    });

    it('fails a batch with its errors, for good', async () => {
      const { store } = subject;
      await store.batches.insert(batchRow('batch_1'));
      await claimDue(store, 'mine');
      const errors = [{ code: 'empty_file', message: 'The file is empty.', param: null, line: null }];
      expect(await store.batches.fail('batch_1', 'mine', { now: NOW + 2, errors })).toBe(true);
      const row = await store.batches.get('all', 'batch_1');
      expect(row).toEqual(batchRow('batch_1', { status: 'failed', failedAt: NOW + 2, errors }));
      expect(await claimDue(store, 'again', LATER + 9)).toEqual([]);
    });

    it('finalizes only when no segment is open or the batch was stopped', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)], { expiresAt: NOW });
      await store.batches.stopExpired(NOW, 1);
      expect(await claimDue(store, 'mine')).toEqual(['batch_1']);
      expect(await store.batches.beginFinalizing('batch_1', 'stale', NOW)).toBe(false);
      expect(await store.batches.beginFinalizing('batch_1', 'mine', NOW + 4)).toBe(true);
      expect(await store.batches.get('all', 'batch_1')).toMatchObject({ status: 'finalizing', finalizingAt: NOW + 4 });

      await store.batches.insert(batchRow('batch_2'));
      await claimDue(store, 'mine');
      await store.batches.start('batch_2', 'mine', start);
      expect(await store.batches.beginFinalizing('batch_2', 'mine', NOW)).toBe(false);
    });

    it('keeps the order of its steps when the clocks of servers differ', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', []);
      const before = await store.batches.get('all', 'batch_1');
      await store.batches.cancel('all', 'batch_1', NOW - 600);
      await claimDue(store, 'mine');
      await store.batches.finish('batch_1', 'mine', { ...completed, status: 'cancelled', now: NOW - 700 });
      const latest = before?.inProgressAt ?? 0;
      expect(latest).toBeGreaterThanOrEqual(NOW);
      expect(await store.batches.get('all', 'batch_1')).toMatchObject({ cancellingAt: latest, cancelledAt: latest });
    });

    it('ends a batch together with its files and without its segments, under its lease alone', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', []);
      expect(await claimDue(store, 'mine')).toEqual(['batch_1']);
      await store.batches.beginFinalizing('batch_1', 'mine', NOW);
      expect(await store.batches.finish('batch_1', 'stale', completed)).toBe(false);
      expect(await store.files.getAny('file-out')).toBeNull();
      expect(await store.batches.finish('batch_1', 'mine', completed)).toBe(true);
      expect(await store.batches.get('all', 'batch_1')).toMatchObject({
        status: 'completed',
        completedAt: NOW + 9,
        completed: 17,
        failed: 3,
        outputFileId: 'file-out',
        errorFileId: 'file-err',
      });
      expect(await store.files.get('all', 'file-out')).toEqual(fileRow('file-out'));
      expect(await store.files.get('all', 'file-err')).toEqual(fileRow('file-err'));
      expect(await store.batches.finish('batch_1', 'mine', completed)).toBe(false);
      expect(await claimDue(store, 'again', LATER + 99)).toEqual([]);
    });

    it('ends a cancelling batch as cancelled and a finalizing one as completed or expired, not otherwise', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0), segmentRow('batch_1', 1)]);
      await store.batches.cancel('all', 'batch_1', NOW);
      await claimDue(store, 'mine');
      expect(await store.batches.finish('batch_1', 'mine', completed)).toBe(false);
      const cancelled = { ...completed, status: 'cancelled' as const, outputFile: null };
      expect(await store.batches.finish('batch_1', 'mine', cancelled)).toBe(true);
      const row = await store.batches.get('all', 'batch_1');
      expect(row).toMatchObject({ status: 'cancelled', cancelledAt: NOW + 9, outputFileId: null });
      expect(await store.segments.backlog()).toEqual([]);

      await startBatch(store, 'batch_2', [segmentRow('batch_2', 0)], { expiresAt: NOW });
      await store.batches.stopExpired(NOW, 1);
      await claimDue(store, 'mine');
      expect(await store.batches.finish('batch_2', 'mine', { ...completed, status: 'expired' })).toBe(false);
      await store.batches.beginFinalizing('batch_2', 'mine', NOW);
      expect(await store.batches.finish('batch_2', 'mine', { ...completed, status: 'cancelled' })).toBe(false);
      expect(await store.batches.finish('batch_2', 'mine', { ...completed, status: 'expired' })).toBe(true);
      expect(await store.batches.get('all', 'batch_2')).toMatchObject({ status: 'expired', expiredAt: NOW + 9 });

      await startBatch(store, 'batch_3', [segmentRow('batch_3', 0)]);
      await store.budgets.stopBatch('batch_3', NOW);
      await claimDue(store, 'mine');
      await store.batches.beginFinalizing('batch_3', 'mine', NOW);
      const errors = [{ code: 'budget_exceeded', message: 'spent', param: null, line: null }];
      const stopped = { ...completed, status: 'cancelled' as const, errors };
      expect(await store.batches.finish('batch_3', 'mine', stopped)).toBe(true);
      expect(await store.batches.get('all', 'batch_3')).toMatchObject({ status: 'cancelled', stop: 'budget', errors });
    });
  });
}
