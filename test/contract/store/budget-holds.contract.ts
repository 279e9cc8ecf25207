import { describe, expect, it } from 'vitest';
import type { BatchRow } from '../../../src/ports/store-batches.ts';
import { budgetRow, DAY, usage } from './budget-rows.ts';
import { create, expectLeft, hold, spender } from './budget-spenders.ts';
import { claim, emptyCommit, entryRow, LATER, NOW, partRow, type Subject, segmentRow, startBatch } from './subject.ts';

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
  });
}
