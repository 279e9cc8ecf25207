import { describe, expect, it } from 'vitest';
import { type FailureKind, refusal } from '../../../src/core/failure.ts';
import { canMoveShard, SHARD_STATES, type ShardState } from '../../../src/core/shard-state.ts';
import type { Store } from '../../../src/ports/store.ts';
import type { ShardChange, ShardRow } from '../../../src/ports/store-shards.ts';
import { batchRow, claimShards, entryRow, NOW, type Subject, shardRow, startBatch } from './subject.ts';

function startShards(store: Store, batchId: string, shards: readonly ShardRow[]): Promise<void> {
  return startBatch(store, batchId, [], {}, shards);
}

async function idsDue(store: Store, change: Parameters<typeof claimShards>[1] = {}): Promise<string[]> {
  return (await claimShards(store, change)).map((shard) => shard.id);
}

const everything: ShardChange = {
  state: 'submitting',
  tries: 2,
  token: 'weir-12345678-abc',
  providerBatchId: 'batch_at_provider',
  refs: { input: 'file-1', 'odd "name"': 'gs://bucket/ünï' },
  raw: 'in_progress',
  counts: { total: 10, succeeded: 3, failed: 1 },
  failure: { ...refusal('quota_full', 'token_limit_exceeded', 'Enqueued \ud800 limit'), retryAfterMs: 5 },
  submittedAt: NOW + 1,
  progressAt: NOW + 2,
  cancelAskedAt: NOW + 3,
  endedAt: NOW + 4,
  ranAt: NOW + 3,
  cleanedAt: NOW + 5,
  nextAt: NOW + 6,
  lines: 9,
  bytes: 77,
  tokens: 88,
};

export function shardsContract(subject: Subject): void {
  describe('shards', () => {
    it('come back as they were stored, and are left as they are when planned again', async () => {
      const { store } = subject;
      await store.batches.insert(batchRow('batch_1'));
      const row = shardRow('batch_1', 0, { ...everything, state: 'pending' });
      await store.shards.insertMany([row, shardRow('batch_1', 1)]);
      await store.shards.insertMany([shardRow('batch_1', 0, { tokens: 1 }), shardRow('batch_1', 2)]);
      await store.shards.insertMany([]);
      expect(await store.shards.get('batch_1-s0')).toEqual(row);
      expect(await store.shards.get('batch_1-s1')).toEqual(shardRow('batch_1', 1));
      expect(await store.shards.get('batch_1-s2')).toEqual(shardRow('batch_1', 2));
      expect(await store.shards.get('batch_1-s9')).toBeNull();
    });

    it('are not added to a batch that has ended', async () => {
      const { store } = subject;
      await store.batches.insert(batchRow('batch_1', { status: 'cancelled' }));
      await store.shards.insertMany([shardRow('batch_1', 0), shardRow('batch_none', 0)]);
      expect(await store.shards.list('batch_1')).toEqual([]);
      expect(await store.shards.list('batch_none')).toEqual([]);
    });

    it('are listed by line, each with what its entries cost', async () => {
      const { store } = subject;
      await startShards(
        store,
        'batch_1',
        [2, 0, 1].map((index) => shardRow('batch_1', index)),
      );
      await startShards(store, 'batch_2', [shardRow('batch_2', 0)]);
      const amounts = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, null];
      await store.ledger.append([
        ...amounts.map((amountNano, index) => entryRow({ line: index + 1, amountNano, shardId: 'batch_1-s0' })),
        entryRow({ line: 11, amountNano: 5, shardId: 'batch_1-s1' }),
        entryRow({ line: 12, amountNano: 7 }),
      ]);
      expect(await store.shards.list('batch_1')).toEqual([
        { ...shardRow('batch_1', 0), amountNano: 2n * BigInt(Number.MAX_SAFE_INTEGER), unpriced: 1, entries: 3 },
        { ...shardRow('batch_1', 1), amountNano: 5n, unpriced: 0, entries: 1 },
        { ...shardRow('batch_1', 2), amountNano: 0n, unpriced: 0, entries: 0 },
      ]);
      expect(await store.shards.ledgeredLines('batch_1-s0')).toEqual(new Set([1, 2, 3]));
      expect(await store.shards.ledgeredLines('batch_1-s2')).toEqual(new Set());
    });

    it('are leased to one of many who ask at the same moment', async () => {
      const stores = [subject.store, await subject.another(), await subject.another()];
      await startShards(
        subject.store,
        'batch_1',
        [0, 1, 2, 3, 4].map((index) => shardRow('batch_1', index)),
      );
      const claims = await Promise.all(stores.map((store, index) => idsDue(store, { token: `t-${index}`, limit: 2 })));
      expect(claims.map((ids) => ids.length).toSorted()).toEqual([1, 2, 2]);
      expect(new Set(claims.flat()).size).toBe(5);
    });

    it('are leased oldest due first, once due, of the providers that are not excluded', async () => {
      const { store } = subject;
      await startShards(store, 'batch_1', [
        shardRow('batch_1', 0, { nextAt: NOW - 1 }),
        shardRow('batch_1', 1, { nextAt: NOW - 2, provider: 'bedrock' }),
        shardRow('batch_1', 2, { nextAt: NOW - 3 }),
        shardRow('batch_1', 3, { nextAt: NOW + 1 }),
        shardRow('batch_1', 4, { nextAt: NOW - 4, provider: 'vertex' }),
      ]);
      expect(await idsDue(store, { limit: 0 })).toEqual([]);
      expect(await idsDue(store, { exclude: ['vertex', 'bedrock'] })).toEqual(['batch_1-s2', 'batch_1-s0']);
      expect(await idsDue(store, { limit: 1 })).toEqual(['batch_1-s4']);
      const [lease] = await claimShards(store);
      const row = shardRow('batch_1', 1, { nextAt: NOW - 2, provider: 'bedrock' });
      expect(lease).toEqual({ ...row, leaseToken: 'worker', leaseUntil: NOW + 30 });
    });

    it('are held longer by a renewal, those that it names', async () => {
      const { store } = subject;
      await startShards(store, 'batch_1', [shardRow('batch_1', 0), shardRow('batch_1', 1)]);
      await claimShards(store, { token: 'worker' });
      await store.shards.renew(['batch_1-s0'], 'worker', NOW + 90);
      await store.shards.renew(['batch_1-s1'], 'other', NOW + 90);
      expect(await idsDue(store, { now: NOW + 30, until: NOW + 60, token: 'next' })).toEqual(['batch_1-s1']);
      expect(await idsDue(store, { now: NOW + 90, until: NOW + 99, token: 'next' })).toEqual([
        'batch_1-s0',
        'batch_1-s1',
      ]);
    });

    it('come back when their lease ends, is given back or is recovered, and are lost to who held them', async () => {
      const { store } = subject;
      await startShards(store, 'batch_1', [shardRow('batch_1', 0)]);
      await claimShards(store, { token: 'first' });
      expect(await idsDue(store, { now: NOW + 29, token: 'second' })).toEqual([]);
      expect(await store.shards.recover({ now: NOW + 29 })).toBe(0);
      expect(await store.shards.save('batch_1-s0', 'first', { raw: 'mine' })).toBe(true);
      expect(await idsDue(store, { now: NOW + 30, until: NOW + 60, token: 'second' })).toEqual(['batch_1-s0']);
      expect(await store.shards.save('batch_1-s0', 'first', { raw: 'late' })).toBe(false);
      await store.shards.release('batch_1-s0', 'first');
      expect(await idsDue(store, { now: NOW + 31, token: 'third' })).toEqual([]);
      await store.shards.release('batch_1-s0', 'second');
      expect(await idsDue(store, { now: NOW + 31, until: NOW + 60, token: 'third' })).toEqual(['batch_1-s0']);
      expect(await store.shards.recover({ others: 'third' })).toBe(0);
      expect(await store.shards.recover({ others: 'fourth' })).toBe(1);
      expect(await store.shards.save('batch_1-s0', 'third', {})).toBe(false);
      expect(await idsDue(store, { now: NOW + 31, until: NOW + 60, token: 'fourth' })).toEqual(['batch_1-s0']);
      expect(await store.shards.recover({ now: NOW + 60 })).toBe(1);
      expect(await store.shards.get('batch_1-s0')).toEqual(shardRow('batch_1', 0, { raw: 'mine' }));
    });

    it('are due in every state until they are cleaned up, pending ones only while their batch runs', async () => {
      const { store } = subject;
      const inState = (batchId: string) =>
        SHARD_STATES.map((state, index) => shardRow(batchId, index, { state, nextAt: NOW - 10 + index }));
      const statesDue = async (batchId: string) => {
        const leases = await claimShards(store, { token: `of-${batchId}` });
        for (const lease of leases) await store.shards.save(lease.id, lease.leaseToken, { nextAt: NOW + 99 });
        return leases.map((lease) => lease.state);
      };
      const started = SHARD_STATES.filter((state) => state !== 'pending');

      await store.batches.insert(batchRow('batch_validating'));
      await store.shards.insertMany([shardRow('batch_validating', 0)]);
      expect(await statesDue('batch_validating')).toEqual([]);
      await startShards(store, 'batch_running', inState('batch_running'));
      expect(await statesDue('batch_running')).toEqual(SHARD_STATES);
      await startShards(store, 'batch_paused', inState('batch_paused'));
      await store.batches.setPaused('all', 'batch_paused', NOW);
      expect(await statesDue('batch_paused')).toEqual(started);
      await store.batches.setPaused('all', 'batch_paused', null);
      expect(await statesDue('batch_paused')).toEqual(['pending']);
      await startShards(store, 'batch_cancelled', inState('batch_cancelled'));
      await store.batches.cancel('all', 'batch_cancelled', NOW);
      expect(await statesDue('batch_cancelled')).toEqual(started);
      await startBatch(store, 'batch_expired', [], { expiresAt: NOW }, inState('batch_expired'));
      await store.batches.stopExpired(NOW, 9);
      expect(await statesDue('batch_expired')).toEqual(started);
      const [done] = await claimShards(store, { now: NOW + 99, exclude: [] }).then((all) =>
        all.filter((lease) => lease.state === 'done'),
      );
      await store.shards.save(done!.id, 'worker', { cleanedAt: NOW });
      await store.shards.recover({ others: '' });
      expect(await idsDue(store, { now: NOW + 999, limit: 99 })).not.toContain(done!.id);
    });

    it('take every change of their holder, the rest staying as it was', async () => {
      const { store } = subject;
      await startShards(store, 'batch_1', [shardRow('batch_1', 0), shardRow('batch_1', 1)]);
      await claimShards(store, { limit: 1 });
      expect(await store.shards.save('batch_1-s0', 'worker', everything)).toBe(true);
      expect(await store.shards.get('batch_1-s0')).toEqual(shardRow('batch_1', 0, everything));
      expect(await store.shards.save('batch_1-s0', 'worker', { token: null, counts: null, failure: null })).toBe(true);
      const cleared = { ...everything, token: null, counts: null, failure: null };
      expect(await store.shards.get('batch_1-s0')).toEqual(shardRow('batch_1', 0, cleared));
      expect(await store.shards.save('batch_1-s1', 'worker', { raw: 'not leased' })).toBe(false);
      expect(await store.shards.get('batch_1-s1')).toEqual(shardRow('batch_1', 1));
    });

    it('move by their holder as their states allow, but not out of the open work of their batch', async () => {
      const { store } = subject;
      const open = (state: ShardState) => state !== 'done' && state !== 'abandoned';
      const pairs = SHARD_STATES.flatMap((from) => SHARD_STATES.map((to) => ({ from, to })));
      await startShards(
        store,
        'batch_1',
        pairs.map(({ from }, index) => shardRow('batch_1', index, { state: from })),
      );
      await claimShards(store, { limit: 99 });
      for (const [index, { from, to }] of pairs.entries()) {
        const allowed = from === to || (canMoveShard(from, to) && (open(to) || !open(from)));
        const moved = store.shards.save(`batch_1-s${index}`, 'worker', { state: to, raw: 'moved' });
        if (allowed) expect(await moved, `${from} to ${to}`).toBe(true);
        else await expect(moved, `${from} to ${to}`).rejects.toThrow(`cannot move from ${from} to ${to}`);
        const row = await store.shards.get(`batch_1-s${index}`);
        expect(row).toMatchObject(allowed ? { state: to, raw: 'moved' } : { state: from, raw: null });
      }
      expect(await store.shards.save('batch_1-s0', 'stale', { state: 'running' })).toBe(false);
    });

    it('say how much of them a provider has in hand', async () => {
      const { store } = subject;
      const rows = SHARD_STATES.map((state, index) =>
        shardRow('batch_1', index, { state, tokens: 10 ** index, providerBatchId: `batch-${index}` }),
      );
      await startShards(store, 'batch_1', [
        ...rows,
        shardRow('batch_1', 20, { state: 'running', tokens: 7, model: 'large' }),
        // Nobody knows whether it is there.
        shardRow('batch_1', 23, { state: 'abandoned', tokens: 8 }),
        shardRow('batch_1', 21, { state: 'running', tokens: 9, endedAt: NOW }),
        shardRow('batch_1', 22, { state: 'running', tokens: 9, provider: 'vertex' }),
      ]);
      expect(await store.shards.load('openai', 'mini')).toEqual({ jobs: 2, tokens: 10_100 });
      expect(await store.shards.load('openai', null)).toEqual({ jobs: 3, tokens: 10_107 });
      expect(await store.shards.load('anthropic', null)).toEqual({ jobs: 0, tokens: 0 });
    });

    it('are counted by provider and state', async () => {
      const { store } = subject;
      await startShards(store, 'batch_1', [
        shardRow('batch_1', 0),
        shardRow('batch_1', 1),
        shardRow('batch_1', 2, { state: 'running' }),
        shardRow('batch_1', 3, { state: 'running', provider: 'bedrock' }),
      ]);
      expect(await store.shards.countByState()).toEqual([
        { provider: 'bedrock', state: 'running', count: 1 },
        { provider: 'openai', state: 'pending', count: 2 },
        { provider: 'openai', state: 'running', count: 1 },
      ]);
    });

    it('tell the targets where an operator is needed, and are left out there while pending', async () => {
      const { store } = subject;
      const failed = (kind: FailureKind, code = `no_${kind}`) => refusal(kind, code, 'Said the provider.');
      const pending = (index: number, change: Partial<ShardRow>) => shardRow('batch_1', index, change);
      await startShards(store, 'batch_1', [
        pending(0, { failure: failed('authentication'), nextAt: NOW + 60 }),
        pending(1, { failure: failed('authentication'), nextAt: NOW + 90 }),
        pending(2, { provider: 'bedrock', model: 'a', failure: failed('permission'), nextAt: NOW + 60 }),
        pending(3, { provider: 'vertex', failure: failed('quota_exhausted'), nextAt: NOW }),
        pending(4, { provider: 'azure', failure: failed('quota_full'), nextAt: NOW + 60 }),
        pending(5, { nextAt: NOW - 5 }),
        pending(6, { provider: 'bedrock', model: 'a', nextAt: NOW - 4 }),
        pending(7, { provider: 'bedrock', model: 'b', nextAt: NOW - 3 }),
        pending(8, { state: 'running', nextAt: NOW - 2 }),
      ]);
      const paused = await store.shards.pausedTargets(NOW);
      expect(paused).toEqual([
        { provider: 'bedrock', model: 'a', code: 'no_permission', message: 'Said the provider.', until: NOW + 60 },
        { provider: 'openai', model: null, code: 'no_authentication', message: 'Said the provider.', until: NOW + 90 },
      ]);
      expect(await idsDue(store, { paused })).toEqual(['batch_1-s7', 'batch_1-s8', 'batch_1-s3']);
      expect(await idsDue(store, { token: 'other' })).toEqual(['batch_1-s5', 'batch_1-s6']);
    });

    it('are counted where they need a look, by provider and what it is', async () => {
      const { store } = subject;
      const failure = refusal('permission', 'AccessDenied', 'No.');
      await startShards(store, 'batch_1', [
        shardRow('batch_1', 0, { failure }),
        shardRow('batch_1', 1, { failure, state: 'running', progressAt: NOW - 100 }),
        shardRow('batch_1', 2, { state: 'running', progressAt: NOW - 100 }),
        shardRow('batch_1', 3, { state: 'running', progressAt: NOW - 99 }),
        shardRow('batch_1', 4, { state: 'collecting', endedAt: NOW - 10, provider: 'bedrock' }),
        shardRow('batch_1', 5, { state: 'collecting', endedAt: NOW - 9, provider: 'bedrock' }),
        shardRow('batch_1', 6, { state: 'done', failure, endedAt: NOW - 100 }),
        shardRow('batch_1', 7, { state: 'abandoned', failure, progressAt: NOW - 100, providerBatchId: 'batch-7' }),
        shardRow('batch_1', 8, { state: 'abandoned', failure, provider: 'vertex' }),
        shardRow('batch_1', 9, { state: 'submitting', progressAt: NOW - 10, provider: 'vertex' }),
        shardRow('batch_1', 11, {
          state: 'submitting',
          progressAt: NOW - 10,
          failure: refusal('connection', 'x', 'No.'),
        }),
        shardRow('batch_1', 10, { state: 'submitting', progressAt: NOW - 9, provider: 'vertex' }),
      ]);
      expect(await store.shards.alerts({ stuckBefore: NOW - 100, unreadBefore: NOW - 10 })).toEqual([
        { provider: 'bedrock', code: 'results_unread', reason: null, shards: 1 },
        { provider: 'openai', code: 'needs_operator', reason: 'AccessDenied', shards: 2 },
        { provider: 'openai', code: 'stuck', reason: null, shards: 1 },
        { provider: 'vertex', code: 'submit_unknown', reason: null, shards: 2 },
      ]);
    });

    it('of a batch that stops are due at once where a provider batch of theirs is known', async () => {
      const { store } = subject;
      const later = (state: ShardState, index: number) => shardRow('batch_1', index, { state, nextAt: NOW + 300 });
      await startShards(store, 'batch_1', SHARD_STATES.map(later));
      await startShards(store, 'batch_2', [shardRow('batch_2', 0, { state: 'running', nextAt: NOW + 300 })]);
      await store.shards.hasten('batch_1', NOW);
      const due = (await claimShards(store)).map(({ state }) => state);
      expect(due.toSorted()).toEqual(['collecting', 'running']);
    });

    it('finds what was cut from a shard, and nothing of others', async () => {
      const { store } = subject;
      await store.batches.insert(batchRow('batch_1'));
      const ids = ['s-1', 's-1.0', 's-1.0.1', 's-1.1', 's-1.p', 's-1-b1', 's-10.0', 's-1/0', 's-2.0'];
      await store.shards.insertMany(ids.map((id, line) => ({ ...shardRow('batch_1', line), id })));
      const cut = async (id: string) => (await store.shards.cutFrom(id)).map((row) => row.id).sort();
      expect(await cut('s-1')).toEqual(['s-1.0', 's-1.0.1', 's-1.1', 's-1.p']);
      expect(await cut('s-1.0')).toEqual(['s-1.0.1']);
      expect(await cut('s-1.1')).toEqual([]);
    });

    it('know their tokens among others', async () => {
      const { store } = subject;
      await startShards(store, 'batch_1', [shardRow('batch_1', 0, { token: 'a' }), shardRow('batch_1', 1)]);
      expect(await store.shards.knownTokens(['a', 'b', "'"])).toEqual(new Set(['a']));
      expect(await store.shards.knownTokens([])).toEqual(new Set());
    });

    it('that are done and never had a provider batch are abandoned once one of their token is there', async () => {
      const { store } = subject;
      const failure = { ...refusal('bad_response', 'submit_unknown', 'lost'), reachedProvider: true };
      const row = (index: number, change: Partial<ShardRow>) =>
        shardRow('batch_1', index, { cleanedAt: NOW, ...change });
      const rows = [
        row(0, { state: 'done', token: 'lost', failure }),
        row(1, { state: 'done', token: 'served', providerBatchId: 'remote_1' }),
        row(2, { state: 'running', token: 'running', providerBatchId: 'remote_2' }),
      ];
      await startShards(store, 'batch_1', rows);
      expect(await store.shards.knownTokens(['lost', 'served', 'running'])).toEqual(new Set(['served', 'running']));
      expect((await store.shards.list('batch_1')).map(({ id }) => id)).toEqual(rows.slice(1).map(({ id }) => id));
      const found = { id: 'remote_9', refs: { file: 'f' }, submittedAt: NOW - 60, now: NOW };
      for (const token of ['served', 'running', 'nobody']) expect(await store.shards.adopt(token, found)).toBe(false);
      expect(await store.shards.adopt('lost', found)).toBe(true);
      expect(await store.shards.adopt('lost', found)).toBe(false);
      expect(await store.shards.list('batch_1')).toHaveLength(3);
      expect(await store.shards.get(rows[0]!.id)).toMatchObject({
        ...{ state: 'abandoned', providerBatchId: 'remote_9', refs: { file: 'f' }, submittedAt: NOW - 60 },
        ...{ endedAt: null, cleanedAt: null, failure: null, nextAt: NOW },
      });
      expect((await claimShards(store)).map(({ id }) => id)).toContain(rows[0]!.id);
    });

    it('are marked by one word that is the same for every store on the database, for ever', async () => {
      const word = await subject.store.shards.installation();
      expect(word).toMatch(/^[a-z0-9]{8}$/);
      expect(await (await subject.another()).shards.installation()).toBe(word);
      await subject.store.close();
      expect(await (await subject.another()).shards.installation()).toBe(word);
    });
  });
}
