import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../providers/sandbox/servers/random.ts';
import { Allowance } from '../../../src/core/budget-allowance.ts';
import { budgetRow, DAY, usage } from './budget-rows.ts';
import { create, hold, running } from './budget-spenders.ts';
import { claim, emptyCommit, entryRow, NOW, partRow, type Subject, segmentRow, startBatch } from './subject.ts';

function sumOf(amounts: readonly number[]): number {
  return amounts.reduce((sum, amount) => sum + amount, 0);
}

/** What running batches draw, a part with each commit. */
export function budgetDrawsContract(subject: Subject): void {
  describe('holds of budgets', () => {
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
  });
}
