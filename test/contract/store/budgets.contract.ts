import { describe, expect, it } from 'vitest';
import type { Store } from '../../../src/ports/store.ts';
import type { BatchRow } from '../../../src/ports/store-batches.ts';
import type { BudgetRow, HoldAsk } from '../../../src/ports/store-budgets.ts';
import {
  batchRow,
  claim,
  emptyCommit,
  entryRow,
  NOW,
  partRow,
  type Subject,
  segmentRow,
  shardRow,
  startBatch,
} from './subject.ts';

const DAY = { startsAt: NOW - (NOW % 86_400), endsAt: NOW - (NOW % 86_400) + 86_400 };
const anything = { tenantId: null, keyId: null, tag: null, route: null };

function budgetRow(id: string, change: Partial<BudgetRow> = {}): BudgetRow {
  return {
    ...anything,
    id,
    name: id,
    ownerTenantId: 'default',
    limitNano: 10_000,
    period: 'day',
    timeZone: 'UTC',
    since: NOW,
    onInsufficient: 'reject',
    unpriced: 'refuse',
    thresholds: [50, 100],
    createdAt: NOW,
    updatedAt: NOW,
    ...change,
  };
}

const spender = { tenantId: 'tenant-a', keyId: 'key_1', tags: { team: 'search' }, routes: ['mini'] };

function hold(holder: string, amountNano: number): HoldAsk {
  return { ...spender, holder, amountNano };
}

/** Adds a batch that holds so much; null when it is refused. */
function create(store: Store, id: string, amountNano: number, change: Partial<BatchRow> = {}) {
  const row = batchRow(id, { keyId: 'key_1', ...change });
  return store.batches.insertWithin(row, { liveMax: null, hold: hold(id, amountNano) });
}

async function usage(store: Store, id: string) {
  const state = await store.budgets.get(id, NOW);
  return state && { spent: state.usage.spentNano, held: state.usage.heldNano };
}

/** A running batch of one segment, and a commit of entries under its lease. */
async function running(store: Store, id: string, amountNano: number) {
  await startBatch(store, id, [segmentRow(id, 0)], { keyId: 'key_1' });
  // As if it had been created under its budgets.
  await store.budgets.holdCalls([{ ...hold(id, amountNano), expiresAt: NOW + 9_999 }], NOW);
  const leases = await claim(store);
  let line = 0;
  return async (...amounts: (number | null)[]) => {
    const entries = amounts.map((amountNano) => entryRow({ batchId: id, line: ++line, amountNano }));
    const outcome = await store.segments.commit(
      emptyCommit(leases, { part: partRow(`${id}-${line}`, { batchId: id }), entries }),
    );
    if (!outcome.ok) throw new Error('the lease is lost');
    return outcome.control;
  };
}

export function budgetsContract(subject: Subject): void {
  describe('budgets', () => {
    it('are kept with all they say, listed, changed and removed', async () => {
      const { budgets } = subject.store;
      expect(await budgets.any()).toBe(false);
      const first = budgetRow('budget_1', { tag: { key: 'a "quoted" key', value: '' }, route: 'mini' });
      await budgets.insert(first, DAY);
      await budgets.insert({ ...first, limitNano: 1 }, DAY);
      await budgets.insert(budgetRow('budget_2', { tenantId: 'tenant-a', keyId: 'key_1' }), DAY);
      expect(await budgets.all()).toEqual([first, budgetRow('budget_2', { tenantId: 'tenant-a', keyId: 'key_1' })]);
      expect(await budgets.get('budget_1', NOW)).toEqual({
        ...first,
        usage: { ...DAY, spentNano: 0n, heldNano: 0n, alerts: [] },
      });
      expect((await budgets.list({ limit: 1 }, NOW))?.map(({ id }) => id)).toEqual(['budget_2']);
      expect((await budgets.list({ limit: 9, after: 'budget_2' }, NOW))?.map(({ id }) => id)).toEqual(['budget_1']);
      expect((await budgets.list({ limit: 9, order: 'asc' }, NOW))?.map(({ id }) => id)).toEqual([
        'budget_1',
        'budget_2',
      ]);
      expect(await budgets.list({ limit: 9, after: 'budget_none' }, NOW)).toBeNull();
      expect(await budgets.update('budget_1', { limitNano: 5, thresholds: [10] }, NOW + 1)).toBe(true);
      expect(await budgets.get('budget_1', NOW)).toMatchObject({ limitNano: 5, thresholds: [10], updatedAt: NOW + 1 });
      expect(await budgets.update('budget_none', { limitNano: 5 }, NOW)).toBe(false);
      expect(await budgets.delete('budget_1')).toBe(true);
      expect(await budgets.delete('budget_1')).toBe(false);
      expect(await budgets.get('budget_1', NOW)).toBeNull();
    });

    it('count what the ledger has of what they cover, from before them and after, by all ways into it', async () => {
      const { store } = subject;
      const entries = [
        entryRow({ line: 1, amountNano: 100 }),
        entryRow({ line: 2, amountNano: 10, tags: { team: 'ads' } }),
        entryRow({ line: 3, amountNano: 1, route: null, keyId: null }),
        entryRow({ line: 4, amountNano: null }),
        entryRow({ line: 5, amountNano: 1_000, tenantId: 'tenant-b', batchId: 'batch_2' }),
        entryRow({ line: 6, amountNano: 5, createdAt: DAY.startsAt - 1 }),
      ];
      const scopes: Record<string, Partial<BudgetRow>> = {
        everything: {},
        tenant: { tenantId: 'tenant-a' },
        key: { keyId: 'key_1' },
        route: { route: 'mini' },
        tag: { tag: { key: 'team', value: 'ads' } },
        both: { tenantId: 'tenant-b', tag: { key: 'team', value: 'search' } },
        total: { period: 'total', tenantId: 'tenant-a' },
      };
      const add = async (prefix: string) => {
        for (const [name, scope] of Object.entries(scopes)) {
          const period = name === 'total' ? { startsAt: 0, endsAt: 10 * NOW } : DAY;
          await store.budgets.insert(budgetRow(`${prefix}-${name}`, scope), period);
        }
      };
      const spent = async (prefix: string) =>
        Object.fromEntries(
          await Promise.all(
            Object.keys(scopes).map(async (name) => [name, (await usage(store, `${prefix}-${name}`))?.spent]),
          ),
        );
      await add('early');
      await store.ledger.append(entries);
      await store.ledger.appendCalls([entryRow({ batchId: null, line: null, mode: 'sync', amountNano: 10_000 })], null);
      await add('late');
      const wanted = {
        everything: 11_111n,
        tenant: 10_111n,
        key: 11_110n,
        route: 11_110n,
        tag: 10n,
        both: 1_000n,
        total: 10_116n,
      };
      expect(await spent('early')).toEqual(wanted);
      expect(await spent('late')).toEqual(wanted);

      // A correction moves it as it moves the ledger.
      const [entry] = await store.ledger.adjustable({ tenantId: null }, { after: 0, limit: 1, unpricedOnly: false });
      if (entry === undefined) throw new Error('there is no entry');
      const rates = { version: 'v', mode: 'standard', tier: 'base', input: 1 } as const;
      const correction = { entry, rates, priceVersion: 'v', amountNano: 250, listAmountNano: null };
      await store.ledger.adjust([correction], { now: NOW, note: 'dearer' });
      expect((await spent('early')).everything).toBe(11_261n);
      expect(await spent('late')).toEqual(await spent('early'));
      const [sums] = await store.ledger.summary({ tenantId: null, from: DAY.startsAt }, [], null);
      expect((await spent('early')).everything).toBe(sums?.amountNano);
    });

    it('know their periods ahead, each with what the ledger has of it', async () => {
      const { store } = subject;
      const row = budgetRow('budget_1');
      await store.budgets.insert(row, DAY);
      expect(await store.budgets.endingBefore(DAY.endsAt)).toEqual([]);
      expect(await store.budgets.endingBefore(DAY.endsAt + 1)).toEqual([{ ...row, knownUntil: DAY.endsAt }]);
      await store.ledger.append([entryRow({ line: 1, amountNano: 7, createdAt: DAY.endsAt + 5 })]);
      await store.budgets.addPeriod(row, { startsAt: DAY.endsAt, endsAt: DAY.endsAt + 86_400 });
      await store.budgets.addPeriod(row, { startsAt: DAY.endsAt, endsAt: DAY.endsAt + 86_400 });
      await store.ledger.append([entryRow({ line: 2, amountNano: 1, createdAt: DAY.endsAt + 5 })]);
      expect((await store.budgets.get('budget_1', DAY.endsAt))?.usage).toMatchObject({ spentNano: 8n });
      expect(await usage(store, 'budget_1')).toEqual({ spent: 0n, held: 0n });
    });

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
      expect(await store.budgets.left('batch_2', NOW)).toBe(1_000);
    });

    it('tell each commit what is left, and stop a batch with work ahead when nothing is', async () => {
      const { store } = subject;
      const commitOld = await running(store, 'batch_0', 0);
      expect((await commitOld(1)).leftNano).toBeNull();
      await store.budgets.insert(budgetRow('budget_1', { onInsufficient: 'stop' }), DAY);
      const commit = await running(store, 'batch_1', 3_000);
      expect(await usage(store, 'budget_1')).toEqual({ spent: 1n, held: 3_000n });
      expect(await commit(1_000, null)).toMatchObject({ stop: null, leftNano: 8_999 });
      expect(await usage(store, 'budget_1')).toEqual({ spent: 1_001n, held: 2_000n });
      // It may spend more than it held, as long as the others' holds stand.
      await store.budgets.holdCalls([{ ...hold('call_1', 5_000), expiresAt: NOW + 60 }], NOW);
      expect(await commit(3_500)).toMatchObject({ stop: null, leftNano: 499 });
      expect(await commit(499)).toMatchObject({ status: 'in_progress', stop: 'budget', leftNano: 0 });
      // The batch that ran before there was a budget is covered, too.
      expect(await commitOld(5_000)).toMatchObject({ stop: 'budget', leftNano: -5_000 });
      expect(await store.batches.get('all', 'batch_1')).toMatchObject({ stop: 'budget', cancellingAt: NOW });
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
      expect(outcome).toMatchObject({ ok: true, control: { stop: null, leftNano: 0 } });
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

    it('tell of each threshold once in a period, in the outbox of those who want to know', async () => {
      const { store } = subject;
      await store.budgets.insert(budgetRow('budget_1'), DAY);
      expect(await store.budgets.takeAlerts(NOW, 9)).toEqual([]);
      await store.ledger.append([entryRow({ line: 1, amountNano: 5_000 })]);
      const [alert, ...others] = await store.budgets.takeAlerts(NOW, 9);
      expect(others).toEqual([]);
      expect(alert).toMatchObject({ threshold: 50, spentNano: 5_000n, limitNano: 10_000, period: DAY, at: NOW });
      // Not told yet: the same event again.
      expect(await store.budgets.takeAlerts(NOW + 1, 9)).toEqual([alert]);
      const webhook = {
        id: 'wh_1',
        tenantId: 'default',
        keyId: null,
        name: 'n',
        url: 'https://a.example',
        eventTypes: ['budget.alert' as const],
        secret: 'whsec_1',
        previousSecret: null,
        previousUntil: null,
        disabledAt: null,
        disabledReason: null,
        createdAt: NOW,
        updatedAt: NOW,
      };
      await store.webhooks.insert(webhook, 9);
      const id = alert?.id ?? '';
      const event = { id, tenantId: 'default', type: 'budget.alert' as const, createdAt: NOW, data: { threshold: 50 } };
      await store.budgets.tellAlert(id, [event, event], NOW);
      expect(await store.webhooks.deliveries('wh_1', { limit: 9 })).toMatchObject([
        { eventId: id, data: { threshold: 50 } },
      ]);
      expect(await store.budgets.takeAlerts(NOW + 2, 9)).toEqual([]);
      await store.ledger.append([entryRow({ line: 2, amountNano: 5_001 })]);
      expect((await store.budgets.takeAlerts(NOW, 9)).map(({ threshold }) => threshold)).toEqual([100]);
      const alerts = (await store.budgets.get('budget_1', NOW))?.usage.alerts;
      expect(alerts).toEqual([50, 100].map((threshold) => ({ threshold, at: NOW })));
    });
  });
}
