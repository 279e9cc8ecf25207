import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../providers/sandbox/servers/random.ts';
import { budgetRow, DAY, usage } from './budget-rows.ts';
import { expectLeft, hold, running } from './budget-spenders.ts';
import { NOW, type Subject } from './subject.ts';

/** Limits that are lowered and raised while much is held. */
export function budgetLimitsContract(subject: Subject): void {
  describe('holds of budgets', () => {
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
  });
}
