import { describe, expect, it } from 'vitest';
import { budgetRow, DAY } from './budget-rows.ts';
import { create } from './budget-spenders.ts';
import { entryRow, LATER, NOW, type Subject, shardRow, startBatch } from './subject.ts';

/** What provider batches are set aside. */
export function budgetShardsContract(subject: Subject): void {
  describe('holds of budgets', () => {
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
