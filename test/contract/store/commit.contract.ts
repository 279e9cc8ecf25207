import { describe, expect, it } from 'vitest';
import type { Store } from '../../../src/ports/store.ts';
import type { Commit } from '../../../src/ports/store-segments.ts';
import {
  batchUsage,
  claim,
  emptyCommit,
  entryRow,
  NOW,
  partRow,
  type Subject,
  segmentRow,
  startBatch,
} from './subject.ts';

const all = { tenantId: null };

/** A commit of five results of the first segment. */
const results: Partial<Commit> = {
  part: partRow('part-1'),
  entries: [1, 2, 3, 4, 5].map((line) => entryRow({ line, amountNano: line === 5 ? null : line })),
  completed: 4,
  failed: 1,
  usage: batchUsage(6),
};

/** All that a commit may change, to be compared before and after. */
async function snapshot(store: Store) {
  return {
    batch: await store.batches.get('all', 'batch_1'),
    parts: await store.segments.parts('batch_1', 0, 1_000),
    entries: await store.ledger.entries(all, { limit: 100 }),
    sums: await store.ledger.summary(all, ['hour', 'status'], null),
    backlog: await store.segments.backlog(),
  };
}

export function commitContract(subject: Subject): void {
  describe('commits', () => {
    it('keep every entry as it was, however much the entries of one commit differ', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)]);
      const leases = await claim(store);
      for (const targets of [2, 12]) {
        const entries = Array.from({ length: 30 }, (_, index) => {
          const target = `pool-${index % targets}`;
          const line = targets * 100 + Math.floor(index / 2);
          const rates = { version: 'v', mode: 'standard', tier: 'base', input: 1 + (index % targets) } as const;
          const change = { line, attempt: 1 + (index % 2), target, final: index % 2 === 1, latencyMs: index, rates };
          return entryRow({ ...change, customId: `"${index}"`, amountNano: index === 7 ? null : index });
        });
        await store.segments.commit(emptyCommit(leases, { part: partRow(`part-${targets}`), entries }));
        const stored = await store.ledger.entries(all, { limit: 30, order: 'desc' });
        const byPlace = (rows: readonly { line: number | null; attempt: number }[] | null) =>
          rows?.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || a.attempt - b.attempt);
        expect(byPlace(stored)).toMatchObject(byPlace(entries) ?? []);
        // Of a line, the first attempt comes first.
        const order = stored?.toReversed().map(({ line, attempt }) => [line, attempt].join()) ?? [];
        for (const { line } of entries) expect(order.indexOf(`${line},1`)).toBeLessThan(order.indexOf(`${line},2`));
      }
    });

    it('store part, entries, sums and progress together', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0), segmentRow('batch_1', 1)]);
      const leases = await claim(store, { limit: 2 });
      const segments = [
        { id: 'batch_1-0', token: 'worker', granted: 10, finished: true },
        { id: 'batch_1-1', token: 'worker', granted: 5, finished: false },
      ];
      const control = { status: 'in_progress', stop: null, paused: false, allowanceNano: null };
      expect(await store.segments.commit(emptyCommit(leases, { ...results, segments }))).toEqual({ ok: true, control });
      expect(await store.batches.get('all', 'batch_1')).toMatchObject({
        completed: 4,
        failed: 1,
        usage: batchUsage(6),
        amountNano: 10n,
        listAmountNano: 10_000n,
        entries: 5,
        unpricedEntries: 1,
        openSegments: 1,
      });
      expect(await store.segments.parts('batch_1', 0, 9)).toEqual([partRow('part-1')]);
      const entries = await store.ledger.entries({ ...all, batchId: 'batch_1' }, { limit: 10, order: 'asc' });
      expect(entries?.map(({ id: _, ...entry }) => entry)).toEqual(results.entries);
      expect(await store.segments.backlog()).toEqual([{ queue: 'pool', pending: 0, leased: 10 }]);
      expect(await store.segments.recover({ now: NOW + 61 })).toBe(1);
      expect(await claim(store)).toMatchObject([{ id: 'batch_1-1', granted: 5 }]);
    });

    it('write nothing when one of their leases is gone, and name it', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0), segmentRow('batch_1', 1)]);
      const leases = await claim(store, { limit: 2, until: NOW + 30 });
      await store.segments.release([{ id: 'batch_1-1', token: 'worker' }]);
      await claim(store, { token: 'thief' });
      const before = await snapshot(store);
      const outcome = await store.segments.commit(emptyCommit(leases, results));
      expect(outcome).toEqual({ ok: false, lost: ['batch_1-1'] });
      expect(await snapshot(store)).toEqual(before);
    });

    it('are refused after their lease was recovered, and when a segment is of another batch', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)]);
      await startBatch(store, 'batch_2', [segmentRow('batch_2', 0)]);
      const leases = await claim(store, { limit: 2, until: NOW + 30 });
      const mixed = await store.segments.commit(emptyCommit(leases, { batchId: 'batch_1' }));
      expect(mixed).toEqual({ ok: false, lost: ['batch_2-0'] });
      await store.segments.recover({ now: NOW + 31 });
      const own = leases.filter((lease) => lease.batchId === 'batch_1');
      expect(await store.segments.commit(emptyCommit(own, results))).toEqual({ ok: false, lost: ['batch_1-0'] });
      expect((await store.batches.get('all', 'batch_1'))?.entries).toBe(0);
    });

    it('are taken while the batch is cancelling, and refused when it takes no results any more', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)]);
      const leases = await claim(store);
      await store.batches.cancel('all', 'batch_1', NOW);
      const taken = await store.segments.commit(emptyCommit(leases, results));
      expect(taken).toEqual({
        ok: true,
        control: { status: 'cancelling', stop: 'cancelled', paused: false, allowanceNano: null },
      });

      await startBatch(store, 'batch_2', []);
      const empty = emptyCommit([], { batchId: 'batch_2' });
      expect((await store.segments.commit(empty)).ok).toBe(true);
      await store.batches.claimDue({ now: NOW, until: NOW + 9, token: 'end', limit: 9 });
      await store.batches.beginFinalizing('batch_2', 'end', NOW);
      expect(await store.segments.commit(empty)).toEqual({ ok: false, lost: [] });
    });

    it('made before are answered as done and change nothing', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0), segmentRow('batch_1', 1)]);
      const leases = await claim(store, { limit: 2 });
      const [first, second] = leases.map(({ id, token }) => ({ id, token, granted: 5, finished: true }));
      for (const segments of [[{ ...second!, finished: false }], [first!]]) {
        const commit = emptyCommit(leases, { ...results, segments, part: partRow(`part-${segments[0]?.id}`) });
        commit.entries = commit.entries.map((entry) => ({ ...entry, attempt: segments[0] === first ? 1 : 2 }));
        expect((await store.segments.commit(commit)).ok).toBe(true);
        const before = await snapshot(store);
        expect((await store.segments.commit(commit)).ok).toBe(true);
        expect(await snapshot(store)).toEqual(before);
      }
    });

    it('of entries alone, made before, are answered as done and change nothing', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)]);
      const leases = await claim(store);
      const commit = emptyCommit(leases, { entries: [entryRow({ status: 'failed', final: false, latencyMs: null })] });
      await store.segments.commit(commit);
      const before = await snapshot(store);
      expect((await store.segments.commit(commit)).ok).toBe(true);
      expect(await snapshot(store)).toEqual(before);
    });

    it('move an attempt number that a late answer took to the next free one', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)]);
      const leases = await claim(store);
      await store.ledger.append([entryRow({ line: 2, attempt: 1, status: 'superseded', final: false, latencyMs: 99 })]);
      expect((await store.segments.commit(emptyCommit(leases, results))).ok).toBe(true);
      const spent = await store.ledger.spent('batch_1', 1, 5);
      expect(new Map([...spent].map(([line, { attempts }]) => [line, attempts]))).toEqual(
        new Map([
          [1, 1],
          [2, 2],
          [3, 1],
          [4, 1],
          [5, 1],
        ]),
      );
      expect((await store.batches.get('all', 'batch_1'))?.entries).toBe(6);
    });

    it('keep whole texts that are awkward to store', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)]);
      const leases = await claim(store);
      const awkward = ['a\u0000b', 'x\ud800y', 'ünï \u2028 "\\', "'; drop table files; --", ''];
      const entries = awkward.map((customId, index) =>
        entryRow({ line: index + 1, customId, tags: { [customId]: customId } }),
      );
      await store.segments.commit(emptyCommit(leases, { entries }));
      const stored = await store.ledger.entries(all, { limit: 9, order: 'asc' });
      expect(stored?.map(({ customId, tags }) => ({ customId, tags }))).toEqual(
        entries.map(({ customId, tags }) => ({ customId, tags })),
      );
    });

    it('replace what text cannot hold in names that came from outside', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)]);
      const leases = await claim(store);
      await store.segments.commit(emptyCommit(leases, { entries: [entryRow({ servedModel: 'm\u0000\ud800n' })] }));
      expect((await store.ledger.entries(all, { limit: 9 }))?.[0]?.servedModel).toBe('m\ufffd\ufffdn');
    });
  });
}
