import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../providers/sandbox/servers/random.ts';
import { Allowance, type AllowanceAsk } from '../../../src/core/budget-allowance.ts';
import type { Store } from '../../../src/ports/store.ts';
import type { BatchRow } from '../../../src/ports/store-batches.ts';
import type { HoldAsk } from '../../../src/ports/store-budgets.ts';
import { budgetRow, DAY, usage } from './budget-rows.ts';
import {
  batchRow,
  claim,
  emptyCommit,
  entryRow,
  LATER,
  NOW,
  partRow,
  type Subject,
  segmentRow,
  shardRow,
  startBatch,
} from './subject.ts';

const spender = { tenantId: 'tenant-a', keyId: 'key_1', tags: { team: 'search' }, routes: ['mini'] };

function hold(holder: string, amountNano: number): HoldAsk {
  return { ...spender, holder, amountNano };
}

/** Adds a batch that holds so much; null when it is refused. */
function create(store: Store, id: string, amountNano: number, change: Partial<BatchRow> = {}) {
  const row = batchRow(id, { keyId: 'key_1', ...change });
  return store.batches.insertWithin(row, { liveMax: null, hold: hold(id, amountNano) });
}

/** A running batch of one segment, and a commit of entries under its lease. */
async function running(store: Store, id: string, amountNano: number, token = 'worker') {
  await create(store, id, amountNano);
  await startBatch(store, id, [segmentRow(id, 0)]);
  const leases = await claim(store, { token });
  let line = 0;
  let commits = 0;
  const nothing = { taker: token, underWayNano: 0, keptNano: 0, wishedNano: 0 };
  return async (ask: Partial<AllowanceAsk>, ...amounts: (number | null)[]) => {
    const entries = amounts.map((amountNano) => entryRow({ batchId: id, line: ++line, amountNano }));
    const outcome = await store.segments.commit(
      emptyCommit(leases, {
        part: partRow(`${id}-${commits++}`, { batchId: id }),
        entries,
        allowance: { ...nothing, ...ask },
      }),
    );
    if (!outcome.ok) throw new Error('the lease is lost');
    return outcome.control;
  };
}

/** What a batch may still spend by its budgets, exactly; null when nothing bounds it. */
async function expectLeft(store: Store, batchId: string, nano: number | null): Promise<void> {
  const ask = (boundNano: number) => store.budgets.holdShard({ id: 'probe', batchId, boundNano }, NOW);
  if (nano !== null) expect(await ask(nano + 1)).not.toBe('fits');
  expect(await ask(nano ?? Number.MAX_SAFE_INTEGER)).toBe('fits');
}

function sumOf(amounts: readonly number[]): number {
  return amounts.reduce((sum, amount) => sum + amount, 0);
}

export function budgetHoldsContract(subject: Subject): void {
  describe('holds of budgets', () => {
    it('let batches hold what fits, and no more', async () => {
      const { store } = subject;
      await store.budgets.insert(budgetRow('budget_1'), DAY);
      await store.budgets.insert(budgetRow('other', { tenantId: 'tenant-b', limitNano: 0 }), DAY);
      expect(await create(store, 'batch_1', 6_000)).toMatchObject({ id: 'batch_1' });
      expect(await create(store, 'batch_2', 4_001)).toBeNull();
      expect(await store.batches.get('all', 'batch_2')).toBeNull();
      // The same batch asked for again is the one that is there.
      expect(await create(store, 'batch_1', 6_000)).toMatchObject({ id: 'batch_1' });
      expect(await create(store, 'batch_3', 4_000)).toMatchObject({ id: 'batch_3' });
      expect(await usage(store, 'budget_1')).toEqual({ spent: 0n, held: 10_000n });
      const covering = await store.budgets.covering(spender, NOW);
      expect(covering.map(({ id }) => id)).toEqual(['budget_1']);
    });

    it('of the kind that stops admit a batch with what is left, and refuse it when nothing is', async () => {
      const { store } = subject;
      await store.budgets.insert(budgetRow('budget_1', { onInsufficient: 'stop' }), DAY);
      expect(await create(store, 'batch_1', 9_000)).not.toBeNull();
      expect(await create(store, 'batch_2', 9_000)).not.toBeNull();
      expect(await usage(store, 'budget_1')).toEqual({ spent: 0n, held: 10_000n });
      expect(await create(store, 'batch_3', 1)).toBeNull();
      await expectLeft(store, 'batch_2', 1_000);
    });

    it('give each commit a part of what nobody has, and stop a batch with work ahead when nothing is left', async () => {
      const { store } = subject;
      const commitOld = await running(store, 'batch_0', 0);
      expect((await commitOld({}, 1)).allowanceNano).toBeNull();
      await store.budgets.insert(budgetRow('budget_1', { onInsufficient: 'stop' }), DAY);
      const commit = await running(store, 'batch_1', 3_000);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 1n, held: 3_000n });
      // A quarter of 8,999, rounded up: less than it holds anyhow.
      expect(await commit({}, 1_000, null)).toMatchObject({ stop: null, allowanceNano: 2_250 });
      expect(await usage(store, 'budget_1')).toEqual({ spent: 1_001n, held: 2_250n });
      // What it has under way is part of its own, and so is what it keeps.
      expect(await commit({ underWayNano: 999 })).toMatchObject({ allowanceNano: 2_999 });
      expect(await commit({ underWayNano: 999, keptNano: 8_000 })).toMatchObject({ allowanceNano: 8_000 });
      expect(await usage(store, 'budget_1')).toEqual({ spent: 1_001n, held: 8_000n });
      // It is never more than there is, whatever the last line may come to.
      expect(await commit({ underWayNano: 20_000, keptNano: 20_000 })).toMatchObject({ allowanceNano: 8_999 });
      expect(await commit({ underWayNano: 999, keptNano: 8_000 })).toMatchObject({ allowanceNano: 8_000 });
      // Nobody else gets that, be it a call or another batch.
      const ask = (holder: string, amountNano: number) => ({ ...hold(holder, amountNano), expiresAt: NOW + 60 });
      await store.budgets.insert(budgetRow('budget_2'), DAY);
      expect(await store.budgets.holdCalls([ask('call_1', 1_000), ask('call_2', 999)], NOW)).toEqual([false, true]);
      expect(await commitOld({ wishedNano: 500 })).toMatchObject({ stop: null, allowanceNano: 0 });
      await store.ledger.appendCalls([], null, ['call_2']);
      await store.budgets.delete('budget_2');
      expect(await commitOld({ wishedNano: 500 })).toMatchObject({ allowanceNano: 500 });
      // It may spend more than it held, as long as the others' holds stand.
      expect(await commit({}, 7_000)).toMatchObject({ stop: null, allowanceNano: 375 });
      expect(await commit({}, 2_000)).toMatchObject({ status: 'in_progress', stop: 'budget', allowanceNano: 0 });
      // The batch that ran before there was a budget is covered, too.
      expect(await commitOld({}, 5_000)).toMatchObject({ stop: 'budget' });
      expect(await store.batches.get('all', 'batch_1')).toMatchObject({ stop: 'budget', cancellingAt: NOW });
    });

    it('of a route cover a batch that goes by it, also where its lines’ routes were not known yet when they were made', async () => {
      const { store } = subject;
      const unrouted = { configName: null, route: null };
      for (const id of ['batch_1', 'batch_2']) await create(store, id, 100, unrouted);
      await store.budgets.insert(budgetRow('budget_1', { route: 'late', onInsufficient: 'stop' }), DAY);
      await store.batches.claimDue({ now: NOW, until: LATER, token: 'start', limit: 9 });
      const start = { now: NOW, total: 10, refused: 0, model: null, lanesKey: 'k', segments: 1 };
      const lane = { kind: 'run', route: 'late', candidates: [] } as unknown as BatchRow['lanes'][number];
      expect(await store.batches.start('batch_1', 'start', { ...start, lanes: [lane] })).toBe(true);
      expect(await store.batches.start('batch_2', 'start', { ...start, lanes: [] })).toBe(true);
      await expectLeft(store, 'batch_1', 10_000);
      await expectLeft(store, 'batch_2', null);
    });

    it('shrink with a limit that is lowered: the oldest batches go on with what is left, and the others stop', async () => {
      const { store } = subject;
      await store.budgets.insert(budgetRow('budget_1'), DAY);
      const commit = await running(store, 'batch_1', 6_000);
      await running(store, 'batch_2', 3_000, 'other');
      const call = { ...hold('call_1', 100), expiresAt: NOW + 60 };
      expect(await store.budgets.holdCalls([call], NOW)).toEqual([true]);
      await commit({}, 500);
      await store.budgets.update('budget_1', { name: 'as before' }, NOW);
      await store.budgets.update('budget_1', { limitNano: 10_000 }, NOW);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 500n, held: 8_600n });
      expect(await store.budgets.update('budget_1', { limitNano: 3_000 }, NOW)).toBe(true);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 500n, held: 2_500n });
      expect(await store.budgets.stopExhausted(NOW, 9)).toEqual(['batch_2']);
      expect(await commit({}, 2_399)).toMatchObject({ stop: null });
      expect(await commit({}, 1)).toMatchObject({ stop: 'budget' });
      expect(await store.budgets.update('budget_1', { limitNano: 1_000 }, NOW)).toBe(true);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 2_900n, held: 100n });
      expect(await store.budgets.update('none', { limitNano: 1_000 }, NOW)).toBe(false);
    });

    it('are whole again where a limit that was lowered is raised, the oldest first and beside what was held since', async () => {
      const { store } = subject;
      await store.budgets.insert(budgetRow('budget_1'), DAY);
      const commit = await running(store, 'batch_1', 6_000);
      await running(store, 'batch_2', 3_000, 'other');
      await commit({}, 500);
      await store.budgets.update('budget_1', { limitNano: 3_000 }, NOW);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 500n, held: 2_500n });
      await store.budgets.update('budget_1', { limitNano: 7_000 }, NOW);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 500n, held: 6_500n });
      expect(await commit({ keptNano: 99_999 })).toMatchObject({ allowanceNano: 5_500 });
      await expectLeft(store, 'batch_2', 1_000);
      await store.budgets.update('budget_1', { limitNano: 20_000 }, NOW);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 500n, held: 8_500n });
      const call = { ...hold('call_1', 11_100), expiresAt: NOW + 60 };
      expect(await store.budgets.holdCalls([call], NOW)).toEqual([false]);
      expect(await store.budgets.holdCalls([{ ...call, amountNano: 11_000 }], NOW)).toEqual([true]);
    });

    it('are whole again once there is room: in a new period, or when others have ended', async () => {
      const { store } = subject;
      await store.budgets.insert(budgetRow('budget_1'), DAY);
      await running(store, 'batch_1', 6_000);
      const call = { ...hold('call_1', 1_000), expiresAt: NOW + 60 };
      expect(await store.budgets.holdCalls([call], NOW)).toEqual([true]);
      await store.budgets.update('budget_1', { limitNano: 4_000 }, NOW);
      await store.budgets.update('budget_1', { limitNano: 6_500 }, NOW);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 0n, held: 6_500n });
      await store.budgets.reclaim(NOW);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 0n, held: 6_500n });
      expect(await store.budgets.reclaim(NOW + 60)).toBe(1);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 0n, held: 6_000n });
    });

    it.each([1, 2, 3])(
      'never come to more than the limit leaves, however it is lowered and raised (seed %i)',
      async (seed) => {
        const { store } = subject;
        const random = seededRandom(seed);
        await store.budgets.insert(budgetRow('budget_1'), DAY);
        const commits: Awaited<ReturnType<typeof running>>[] = [];
        for (let batch = 0; batch < 3; batch++) {
          commits.push(await running(store, `batch_${batch}`, 3_000, `server-${batch}`));
        }
        const seen = async () => {
          const state = await store.budgets.get('budget_1', NOW);
          if (!state) throw new Error('the budget is gone');
          return { left: BigInt(state.limitNano) - state.usage.spentNano, held: state.usage.heldNano };
        };
        for (let round = 0; round < 40; round++) {
          const before = await seen();
          const limitNano = Math.floor(random() * 12_000);
          const isUpdate = random() < 0.5;
          if (isUpdate) await store.budgets.update('budget_1', { limitNano }, NOW);
          else if (random() < 0.5) await store.budgets.reclaim(NOW);
          else await commits[Math.floor(random() * 3)]?.({}, Math.floor(random() * 200));
          const { left, held } = await seen();
          // What was under way before a limit was lowered is under way all the same.
          if (held > before.held) expect(held).toBeLessThanOrEqual(left);
        }
        await store.budgets.update('budget_1', { limitNano: 90_000 }, NOW);
        const whole = await usage(store, 'budget_1');
        expect(Number(whole?.spent) + Number(whole?.held)).toBe(9_000);
      },
    );

    it('count what a server drew as long as it has a lease of the batch', async () => {
      const { store } = subject;
      await store.budgets.insert(budgetRow('budget_1', { onInsufficient: 'stop' }), DAY);
      const commit = await running(store, 'batch_1', 0);
      await commit({ keptNano: 9_000 });
      const other = await running(store, 'batch_2', 0, 'other');
      expect(await other({ wishedNano: 9_999 })).toMatchObject({ allowanceNano: 1_000 });
      expect(await usage(store, 'budget_1')).toEqual({ spent: 0n, held: 10_000n });
      // As after a crash of the first.
      await store.segments.recover({ others: 'other' });
      expect(await usage(store, 'budget_1')).toEqual({ spent: 0n, held: 1_000n });
      expect(await other({ wishedNano: 9_999 })).toMatchObject({ allowanceNano: 9_999 });
    });

    it.each([1, 2, 3])('are never overspent by more than a line each, whoever draws when (seed %i)', async (seed) => {
      const { store } = subject;
      const random = seededRandom(seed);
      await store.budgets.insert(budgetRow('budget_1', { onInsufficient: 'stop' }), DAY);
      const LINE = 150;
      for (const id of ['batch_0', 'batch_1']) {
        await create(store, id, 2_000);
        const rows = [0, 1].map((at) => segmentRow(id, at));
        await startBatch(store, id, rows);
      }
      // Two servers on the one batch, one on the other.
      const servers = [];
      for (const name of ['a', 'b', 'c']) {
        const own = await claim(store, { token: name });
        servers.push({ own, name, allowance: new Allowance(name), flying: [] as number[], results: [] as number[] });
      }
      expect(new Set(servers.map(({ own }) => own[0]?.batchId)).size).toBe(2);
      let line = 0;
      for (let turn = 0; turn < 2_000; turn++) {
        const server = servers[Math.floor(random() * servers.length)];
        if (server === undefined) continue;
        const { allowance, flying, results, own } = server;
        const what = random();
        const send = (): void => {
          if (!allowance.bounded || !allowance.maySpend(LINE, 0)) return;
          allowance.outstanding += LINE;
          flying.push(Math.ceil(random() * LINE));
        };
        if (what < 0.5) send();
        else if (what >= 0.5 && what < 0.9 && flying.length > 0) {
          const amount = flying.pop() ?? 0;
          allowance.outstanding -= LINE;
          allowance.uncommitted += amount;
          results.push(amount);
        } else if (what >= 0.9) {
          const amounts = results.splice(0);
          const sum = sumOf(amounts);
          const batchId = own[0]?.batchId ?? '';
          const entries = amounts.map((amountNano) => entryRow({ batchId, line: ++line, amountNano }));
          const part = partRow(`${server.name}-${turn}`, { batchId });
          const ask = allowance.ask(sum, true, 0);
          // While the commit is under way lines are sent by what was drawn before.
          if (random() < 0.5) send();
          const outcome = await store.segments.commit(emptyCommit(own, { part, entries, allowance: ask }));
          if (!outcome.ok) throw new Error('the lease is lost');
          allowance.uncommitted -= sum;
          allowance.grant(outcome.control.allowanceNano ?? null);
          allowance.prolong(1);
        }
      }
      const spent = Number((await usage(store, 'budget_1'))?.spent ?? 0n);
      const all = spent + sumOf(servers.flatMap(({ flying, results }) => [...flying, ...results]));
      expect(all).toBeLessThanOrEqual(10_000 + servers.length * LINE);
      expect(all).toBeGreaterThanOrEqual(10_000);
    });

    it('do not stop a batch whose last work ends as they do', async () => {
      const { store } = subject;
      await store.budgets.insert(budgetRow('budget_1', { onInsufficient: 'stop' }), DAY);
      await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)], { keyId: 'key_1' });
      await store.budgets.holdCalls([{ ...hold('batch_1', 0), expiresAt: NOW + 9 }], NOW);
      const leases = await claim(store);
      const segments = leases.map(({ id, token }) => ({ id, token, granted: 10, finished: true }));
      const entries = [entryRow({ amountNano: 10_000 })];
      const outcome = await store.segments.commit(emptyCommit(leases, { segments, part: partRow('p'), entries }));
      expect(outcome).toMatchObject({ ok: true, control: { stop: null } });
    });

    it('stop batches that learn of them by nothing of their own, once', async () => {
      const { store } = subject;
      await store.budgets.insert(budgetRow('budget_1', { onInsufficient: 'stop' }), DAY);
      await create(store, 'batch_1', 5_000);
      await store.batches.claimDue({ now: NOW, until: NOW + 9, token: 't', limit: 9 });
      const start = { now: NOW, total: 10, refused: 0, model: 'm', lanes: [], lanesKey: 'k', segments: 1 };
      await store.batches.start('batch_1', 't', start);
      expect(await store.budgets.stopExhausted(NOW, 9)).toEqual([]);
      await store.ledger.append([entryRow({ batchId: null, line: null, amountNano: 10_000 })]);
      expect(await store.budgets.stopExhausted(NOW, 9)).toEqual(['batch_1']);
      expect(await store.budgets.stopExhausted(NOW, 9)).toEqual([]);
      expect(await store.batches.control('batch_1')).toMatchObject({ status: 'in_progress', stop: 'budget' });
    });

    it('hold calls side by side as far as they fit, and give back what ends with their entries', async () => {
      const { store } = subject;
      await store.budgets.insert(budgetRow('budget_1'), DAY);
      const ask = (holder: string, amountNano: number) => ({ ...hold(holder, amountNano), expiresAt: NOW + 60 });
      const elsewhere = { ...ask('call_4', 99_999), tenantId: 'tenant-b', keyId: null };
      await store.budgets.update('budget_1', { limitNano: 10_000 }, NOW);
      await store.budgets.insert(budgetRow('budget_2', { tenantId: 'tenant-a', limitNano: 7_000 }), DAY);
      const asks = [ask('call_1', 4_000), ask('call_2', 4_000), ask('call_3', 3_000)];
      expect(await store.budgets.holdCalls(asks, NOW)).toEqual([true, false, true]);
      expect(await store.budgets.holdCalls([elsewhere], NOW)).toEqual([false]);
      await store.budgets.delete('budget_1');
      expect(await store.budgets.holdCalls([elsewhere], NOW)).toEqual([true]);
      expect(await usage(store, 'budget_2')).toEqual({ spent: 0n, held: 7_000n });
      const call = entryRow({ batchId: null, line: null, mode: 'sync', amountNano: 1_500 });
      await store.ledger.appendCalls([call], null, ['call_1']);
      expect(await usage(store, 'budget_2')).toEqual({ spent: 1_500n, held: 3_000n });
      await store.ledger.appendCalls([], null, ['call_3']);
      expect(await usage(store, 'budget_2')).toEqual({ spent: 1_500n, held: 0n });
    });

    it('reclaim what batches that ended and killed processes held', async () => {
      const { store } = subject;
      await store.budgets.insert(budgetRow('budget_1'), DAY);
      await create(store, 'batch_1', 1_000);
      await create(store, 'batch_2', 2_000, { status: 'completed' });
      await store.budgets.holdCalls([{ ...hold('call_1', 300), expiresAt: NOW + 10 }], NOW);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 0n, held: 3_300n });
      expect(await store.budgets.reclaim(NOW + 9)).toBe(1);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 0n, held: 1_300n });
      expect(await store.budgets.reclaim(NOW + 10)).toBe(1);
      await store.budgets.holdCalls([{ ...hold('call_2', 300), expiresAt: NOW + 999 }], NOW);
      expect(await store.budgets.reclaim(NOW, { calls: true })).toBe(1);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 0n, held: 1_000n });
      await store.batches.claimDue({ now: NOW, until: NOW + 9, token: 't', limit: 9 });
      await store.batches.fail('batch_1', 't', { now: NOW, errors: [] });
      expect(await usage(store, 'budget_1')).toEqual({ spent: 0n, held: 0n });
    });

    it('set provider batches aside one by one: what does not fit waits for what is under way, or never fits', async () => {
      const { store } = subject;
      await store.budgets.insert(budgetRow('budget_1', { onInsufficient: 'stop' }), DAY);
      await create(store, 'batch_1', 50_000);
      await store.shards.insertMany([0, 1, 2].map((index) => shardRow('batch_1', index)));
      const ask = (index: number, boundNano: number) => ({ id: `batch_1-s${index}`, batchId: 'batch_1', boundNano });
      expect(await store.budgets.holdShard(ask(0, 10_001), NOW)).toBe('never');
      expect(await store.budgets.holdShard(ask(0, 6_000), NOW)).toBe('fits');
      expect(await store.budgets.holdShard(ask(1, 4_001), NOW)).toBe('full');
      expect(await store.budgets.holdShard(ask(0, 6_000), NOW)).toBe('fits');
      await store.ledger.append([entryRow({ batchId: 'batch_1', line: 1, amountNano: 3_000 })]);
      expect(await store.budgets.holdShard(ask(1, 1_001), NOW)).toBe('full');
      expect(await store.budgets.holdShard(ask(2, 1_000), NOW)).toBe('fits');
    });

    it('set provider batches aside for budgets that come later, and ask anew for each try', async () => {
      const { store } = subject;
      await create(store, 'batch_1', 0);
      await startBatch(store, 'batch_1', []);
      await store.shards.insertMany([0, 1, 2].map((index) => shardRow('batch_1', index)));
      const ask = (index: number) => ({ id: `batch_1-s${index}`, batchId: 'batch_1', boundNano: 6_000 });
      for (const index of [0, 1, 2]) expect(await store.budgets.holdShard(ask(index), NOW)).toBe('fits');
      await store.budgets.insert(budgetRow('budget_1', { onInsufficient: 'stop' }), DAY);
      expect(await store.budgets.holdShard(ask(0), NOW)).toBe('full');
      const due = { now: LATER, until: LATER, token: 'step', limit: 9, exclude: [], paused: [] };
      expect(await store.shards.claimDue(due)).toHaveLength(3);
      // The provider had no room for them: they have nothing under way.
      for (const index of [1, 2]) {
        expect(await store.shards.save(`batch_1-s${index}`, 'step', { state: 'pending', token: null })).toBe(true);
      }
      expect(await store.budgets.holdShard(ask(0), NOW)).toBe('fits');
      expect(await store.budgets.holdShard(ask(1), NOW)).toBe('full');
    });
  });
}
