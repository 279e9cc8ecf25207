import { describe, expect, it } from 'vitest';
import type { BudgetRow } from '../../../src/ports/store-budgets.ts';
import { budgetRow, DAY, usage } from './budget-rows.ts';
import { entryRow, NOW, type Subject } from './subject.ts';

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
