import { describe, expect, it } from 'vitest';
import { addBatchUsage, emptyUsage, toBatchUsage } from '../../../src/core/usage.ts';
import type { Store } from '../../../src/ports/store.ts';
import type { LedgerEntryRow } from '../../../src/ports/store-ledger.ts';
import type { ShardCommit } from '../../../src/ports/store-shards.ts';
import { claimShards, entryRow, NOW, partRow, type Subject, shardRow, startBatch } from './subject.ts';

const all = { tenantId: null };

function shardEntry(line: number, change: Partial<LedgerEntryRow> = {}): LedgerEntryRow {
  const usage = { input_tokens: 10 * line, cached_input_tokens: 4, output_tokens: 5, reasoning_tokens: line };
  return entryRow({ line, mode: 'batch', amountNano: line, usage, shardId: 'batch_1-s0', ...change });
}

/** A commit of these entries, its counts those of the ones that decide a line. */
function commitOf(key: string | null, entries: LedgerEntryRow[], change: Partial<ShardCommit> = {}): ShardCommit {
  const decided = entries.filter((entry) => entry.final);
  const succeeded = decided.filter((entry) => entry.status === 'succeeded');
  return {
    batchId: 'batch_1',
    now: NOW,
    shardId: 'batch_1-s0',
    leaseToken: 'worker',
    part: key === null ? null : partRow(key),
    entries,
    completed: succeeded.length,
    failed: decided.length - succeeded.length,
    usage: succeeded.reduce(
      (sum, entry) => addBatchUsage(sum, toBatchUsage(entry.usage ?? emptyUsage)),
      toBatchUsage(emptyUsage),
    ),
    ...change,
  };
}

/** All that a commit may change but the parts. */
async function sums(store: Store) {
  return {
    batch: await store.batches.get('all', 'batch_1'),
    entries: (await store.ledger.entries(all, { limit: 100 }))?.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)),
    summary: await store.ledger.summary(all, ['hour', 'status'], null),
    byTag: await store.ledger.summary(all, ['batch'], null),
  };
}

async function leaseShard(store: Store): Promise<void> {
  await startBatch(store, 'batch_1', [], {}, [shardRow('batch_1', 0, { state: 'collecting' }), shardRow('batch_1', 1)]);
  await claimShards(store, { limit: 1 });
}

const FIVE = [
  ...[1, 2, 3].map((line) => shardEntry(line)),
  shardEntry(4, { status: 'failed', amountNano: null, usage: null }),
  shardEntry(5, { status: 'failed', final: false }),
];

export function shardCommitContract(subject: Subject): void {
  describe('commits of shards', () => {
    it('store part, entries and sums together, and end no work', async () => {
      const { store } = subject;
      await leaseShard(store);
      const control = { status: 'in_progress', stop: null, paused: false, allowanceNano: null };
      expect(await store.shards.commit(commitOf('p', FIVE))).toEqual({ ok: true, control });
      expect(await store.batches.get('all', 'batch_1')).toMatchObject({
        completed: 3,
        failed: 1,
        usage: commitOf('p', FIVE).usage,
        amountNano: 11n,
        listAmountNano: 10_000n,
        entries: 5,
        unpricedEntries: 1,
        openSegments: 2,
      });
      expect(await store.segments.parts('batch_1', 0, 9)).toEqual([partRow('p')]);
      const entries = await store.ledger.entries({ ...all, batchId: 'batch_1' }, { limit: 10, order: 'asc' });
      expect(entries?.map(({ id: _, ...entry }) => entry)).toEqual(FIVE);
      expect(await store.shards.ledgeredLines('batch_1-s0')).toEqual(new Set([1, 2, 3, 4, 5]));
      expect(await store.ledger.summary(all, [], null)).toMatchObject([{ entries: 5, requests: 4, amountNano: 11n }]);
    });

    it('keep parts of answers that are not taken apart, the last one of a line last', async () => {
      const { store } = subject;
      await leaseShard(store);
      const [first, second] = [partRow('z'), { ...partRow('y'), firstLine: 0, lastLine: 2 }];
      await store.shards.commit(commitOf(null, FIVE.slice(4), { spare: first }));
      await store.shards.commit(commitOf('p', FIVE.slice(0, 2), { spare: second }));
      expect(await store.shards.spares('batch_1', 0, 2)).toEqual([first, second]);
      expect(await store.shards.spares('batch_1', 3, 9)).toEqual([first]);
      expect(await store.shards.spares('batch_2', 0, 9)).toEqual([]);
      expect(await store.segments.parts('batch_1', 0, 9)).toEqual([partRow('p')]);
      const refused = await store.shards.commit(commitOf('q', [], { spare: partRow('x'), leaseToken: 'other' }));
      expect([refused.ok, (await store.shards.spares('batch_1', 0, 9)).length]).toEqual([false, 2]);
    });

    it('made before are answered as done and change nothing, also without a part', async () => {
      const { store } = subject;
      await leaseShard(store);
      for (const commit of [commitOf('p', FIVE), commitOf(null, [shardEntry(6), shardEntry(7, { final: false })])]) {
        expect((await store.shards.commit(commit)).ok).toBe(true);
        const before = await sums(store);
        expect((await store.shards.commit(commit)).ok).toBe(true);
        expect(await sums(store)).toEqual(before);
        expect(await store.segments.parts('batch_1', 0, 9)).toEqual([partRow('p')]);
      }
      await store.shards.release('batch_1-s0', 'worker');
      expect((await store.shards.commit(commitOf('p', FIVE))).ok).toBe(true);
    });

    it('add nothing to any sum for lines that an earlier collection entered, whatever the parts', async () => {
      const { store } = subject;
      await leaseShard(store);
      await store.shards.commit(commitOf('once', FIVE));
      const whole = await sums(store);
      const price = { createdAt: NOW + 7_200, attempt: 9 };
      const again = FIVE.map((entry) => ({ ...entry, ...price }));
      expect((await store.shards.commit(commitOf('twice', again))).ok).toBe(true);
      expect(await sums(store)).toEqual(whole);
      expect((await store.segments.parts('batch_1', 0, 9)).map((part) => part.key)).toEqual(['once', 'twice']);

      const overlapping = [shardEntry(4, { status: 'failed' }), shardEntry(6), shardEntry(6, { amountNano: 99 })];
      expect((await store.shards.commit(commitOf('third', overlapping))).ok).toBe(true);
      const batch = await store.batches.get('all', 'batch_1');
      expect(batch).toMatchObject({ completed: 4, failed: 1, entries: 6, amountNano: 17n });
      expect(batch?.usage).toEqual(commitOf('', [...FIVE, shardEntry(6)]).usage);
      expect(await store.ledger.summary(all, [], null)).toMatchObject([{ entries: 6, requests: 5, amountNano: 17n }]);
    });

    it('count a line that was entered undecided when it is decided, its entry staying as it was', async () => {
      const { store } = subject;
      await leaseShard(store);
      await store.shards.commit(commitOf(null, [shardEntry(1, { status: 'failed', final: false })]));
      await store.shards.commit(commitOf('p', [shardEntry(1, { status: 'failed' })]));
      expect(await store.batches.get('all', 'batch_1')).toMatchObject({ completed: 0, failed: 1, entries: 1 });
      expect(await store.ledger.entries(all, { limit: 9 })).toMatchObject([{ line: 1, final: false }]);
    });

    it('enter the same line for another shard, and move an attempt number that is taken', async () => {
      const { store } = subject;
      await leaseShard(store);
      await store.shards.commit(commitOf('p', [shardEntry(1, { shardId: 'batch_1-earlier', final: false })]));
      await store.shards.commit(commitOf('q', [shardEntry(1)]));
      const entries = await store.ledger.entries(all, { limit: 9, order: 'asc' });
      expect(entries?.map(({ shardId, attempt }) => ({ shardId, attempt }))).toEqual([
        { shardId: 'batch_1-earlier', attempt: 1 },
        { shardId: 'batch_1-s0', attempt: 2 },
      ]);
    });

    it('write nothing when the lease is gone or is of another batch', async () => {
      const { store } = subject;
      await leaseShard(store);
      await startBatch(store, 'batch_2', []);
      const before = await sums(store);
      const commits = [{ leaseToken: 'stale' }, { shardId: 'batch_1-s1' }, { shardId: 'none' }, { batchId: 'batch_2' }];
      for (const change of commits) {
        expect(await store.shards.commit(commitOf('p', FIVE, change))).toEqual({ ok: false });
      }
      await store.shards.recover({ now: NOW + 30 });
      expect(await store.shards.commit(commitOf('p', FIVE))).toEqual({ ok: false });
      expect(await sums(store)).toEqual(before);
      expect(await store.segments.parts('batch_1', 0, 99)).toEqual([]);
    });

    it('write nothing when a part of another batch has the name', async () => {
      const { store } = subject;
      await leaseShard(store);
      await store.shards.commit(commitOf('p', []));
      await startBatch(store, 'batch_2', [], {}, [shardRow('batch_2', 0, { state: 'collecting' })]);
      await claimShards(store, { token: 'other' });
      const change = { batchId: 'batch_2', shardId: 'batch_2-s0', leaseToken: 'other' };
      const part = partRow('p', { batchId: 'batch_2' });
      await expect(store.shards.commit(commitOf('p', FIVE, { ...change, part }))).rejects.toThrow();
      expect(await store.ledger.entries(all, { limit: 9 })).toEqual([]);
    });

    it('are taken while the batch is cancelling or past its window, and refused once it is finalized', async () => {
      const { store } = subject;
      await leaseShard(store);
      await store.batches.cancel('all', 'batch_1', NOW);
      const cancelling = { status: 'cancelling', stop: 'cancelled', paused: false, allowanceNano: null };
      expect(await store.shards.commit(commitOf('p', FIVE))).toEqual({ ok: true, control: cancelling });

      await startBatch(store, 'batch_2', [], { expiresAt: NOW }, [shardRow('batch_2', 0, { state: 'abandoned' })]);
      await claimShards(store);
      await store.batches.stopExpired(NOW, 9);
      const waste = { batchId: 'batch_2', shardId: 'batch_2-s0' };
      const expired = { status: 'in_progress', stop: 'expired', paused: false, allowanceNano: null };
      expect(await store.shards.commit(commitOf(null, [], waste))).toEqual({ ok: true, control: expired });
      await store.batches.claimDue({ now: NOW, until: NOW + 9, token: 'end', limit: 9 });
      expect(await store.batches.beginFinalizing('batch_2', 'end', NOW)).toBe(true);
      expect(await store.shards.commit(commitOf(null, [], waste))).toEqual({ ok: false });
    });

    it('and late answers of a shard enter a line once, whoever comes first', async () => {
      const { store } = subject;
      await leaseShard(store);
      const late = [1, 2].map((line) => shardEntry(line, { status: 'superseded', final: false }));
      await store.ledger.append(late);
      const before = await sums(store);
      await store.ledger.append(late);
      expect(await sums(store)).toEqual(before);
      await store.ledger.append([
        ...late,
        shardEntry(3),
        entryRow({ line: null, batchId: null, shardId: 'batch_1-s0' }),
      ]);
      expect(await store.batches.get('all', 'batch_1')).toMatchObject({ entries: 3, amountNano: 6n });
      expect(await store.shards.ledgeredLines('batch_1-s0')).toEqual(new Set([1, 2, 3]));

      const another = await subject.another();
      const lines = Array.from({ length: 40 }, (_, index) => shardEntry(index + 10));
      await Promise.all([
        store.ledger.append(lines),
        another.ledger.append(lines),
        another.shards.commit(commitOf('p', lines)),
      ]);
      expect(await store.batches.get('all', 'batch_1')).toMatchObject({ entries: 43 });
      expect(await store.ledger.summary(all, [], null)).toMatchObject([{ entries: 44 }]);
    });
  });
}
