import { beforeEach, describe, expect, it } from 'vitest';
import type { DueDelivery, StoreWebhooks, WebhookEvent, WebhookRow } from '../../../src/ports/store-webhooks.ts';
import { batchRow, NOW, type Subject, startBatch } from './subject.ts';

function webhookRow(id: string, change: Partial<WebhookRow> = {}): WebhookRow {
  return {
    id,
    tenantId: 'tenant-a',
    keyId: 'key_1',
    name: 'ops',
    url: 'https://hooks.example/weir',
    eventTypes: ['batch.completed', 'budget.alert'],
    secret: `whsec_${id}`,
    previousSecret: null,
    previousUntil: null,
    disabledAt: null,
    disabledReason: null,
    createdAt: NOW,
    updatedAt: NOW,
    ...change,
  };
}

function event(id: string, change: Partial<WebhookEvent> = {}): WebhookEvent {
  return { id, tenantId: 'tenant-a', type: 'budget.alert', createdAt: NOW, data: { at: '80 %\u2028' }, ...change };
}

export function webhooksContract(subject: Subject): void {
  describe('webhooks', () => {
    let hooks: StoreWebhooks;
    const claim = (change: Partial<Parameters<StoreWebhooks['claimDue']>[0]> = {}): Promise<DueDelivery[]> =>
      hooks.claimDue({ now: NOW, until: NOW + 60, token: 'one', limit: 10, perWebhook: 10, busy: [], ...change });
    const tell = (told: WebhookEvent) => subject.store.budgets.tellAlert(told.id, [told], NOW);
    const eventsOf = (due: readonly DueDelivery[]) => due.map(({ delivery }) => delivery.eventId);
    const states = async (id: string) =>
      (await hooks.deliveries(id, { limit: 10, order: 'asc' }))?.map(({ state, error }) => [state, error]);

    beforeEach(() => {
      hooks = subject.store.webhooks;
    });

    it('are seen, changed and removed in their own tenant only, as many as a tenant may have', async () => {
      const others = { tenantId: 'tenant-b' };
      expect(await hooks.insert(webhookRow('whe_1'), 2)).toBe(true);
      expect(await hooks.insert(webhookRow('whe_2'), 2)).toBe(true);
      expect(await hooks.insert(webhookRow('whe_3'), 2)).toBe(false);
      expect(await hooks.insert(webhookRow('whe_3', others), 2)).toBe(true);
      expect((await hooks.list({ tenantId: 'tenant-a' }, { limit: 5 }))?.map(({ id }) => id)).toEqual([
        'whe_2',
        'whe_1',
      ]);
      expect((await hooks.list('all', { limit: 1, after: 'whe_3' }))?.map(({ id }) => id)).toEqual(['whe_2']);
      expect(await hooks.list(others, { limit: 1, after: 'whe_1' })).toBeNull();
      expect(await hooks.get(others, 'whe_1')).toBeNull();
      expect(await hooks.update(others, 'whe_1', { name: 'x' }, NOW)).toBeNull();
      expect(await hooks.rotate(others, 'whe_1', { secret: 'x', previousUntil: null, now: NOW })).toBeNull();
      expect(await hooks.delete(others, 'whe_1')).toBe(false);
      expect(await hooks.get('all', 'whe_1')).toEqual(webhookRow('whe_1'));
      const changed = await hooks.update('all', 'whe_1', { name: 'x', eventTypes: ['batch.failed'] }, NOW + 1);
      expect(changed).toEqual(webhookRow('whe_1', { name: 'x', eventTypes: ['batch.failed'], updatedAt: NOW + 1 }));
      await tell(event('evt_1', { type: 'batch.failed' }));
      expect(await hooks.delete('all', 'whe_1')).toBe(true);
      expect(await claim()).toEqual([]);
    });

    it('keep the secret before beside a new one for as long as they are told', async () => {
      await hooks.insert(webhookRow('whe_1'), 9);
      const kept = await hooks.rotate('all', 'whe_1', { secret: 'whsec_b', previousUntil: NOW + 9, now: NOW + 1 });
      expect(kept).toMatchObject({ secret: 'whsec_b', previousSecret: 'whsec_whe_1', previousUntil: NOW + 9 });
      const again = { secret: 'whsec_b', previousUntil: NOW + 99, now: NOW + 2 };
      expect(await hooks.rotate('all', 'whe_1', again)).toEqual(kept);
      const dropped = await hooks.rotate('all', 'whe_1', { secret: 'whsec_c', previousUntil: null, now: NOW + 2 });
      expect(dropped).toMatchObject({ secret: 'whsec_c', previousSecret: null, previousUntil: null });
    });

    it('are told of an event once, if they are of its tenant, asked for its type and are not disabled', async () => {
      await hooks.insert(webhookRow('whe_1'), 9);
      await hooks.insert(webhookRow('whe_2'), 9);
      await hooks.insert(webhookRow('whe_3', { eventTypes: ['batch.failed'] }), 9);
      await hooks.insert(webhookRow('whe_4', { tenantId: 'tenant-b' }), 9);
      await hooks.insert(webhookRow('whe_5', { disabledAt: NOW, disabledReason: 'gone' }), 9);
      await tell(event('evt_1'));
      await tell(event('evt_1'));
      expect(await hooks.countPending()).toBe(2);
      const due = await claim();
      expect(due.map(({ webhook }) => webhook)).toEqual([webhookRow('whe_1'), webhookRow('whe_2')]);
      expect(due[0]?.delivery).toMatchObject({ eventId: 'evt_1', type: 'budget.alert', eventAt: NOW });
      expect(due[0]?.delivery.data).toEqual({ at: '80 %\u2028' });
    });

    it('are told of a batch’s end in the write that ends it, and of no other step', async () => {
      const { batches } = subject.store;
      await hooks.insert(webhookRow('whe_1', { eventTypes: ['batch.completed', 'batch.failed'] }), 9);
      await startBatch(subject.store, 'batch_1', []);
      await batches.insert(batchRow('batch_2'));
      await batches.claimDue({ now: NOW, until: NOW + 60, token: 't', limit: 9 });
      await batches.beginFinalizing('batch_1', 't', NOW + 1);
      expect(await claim({ now: NOW + 99, until: NOW + 99 })).toEqual([]);
      const finish = { status: 'completed' as const, completed: 0, failed: 0, outputFile: null, errorFile: null };
      expect(await batches.finish('batch_1', 'stale', { now: NOW + 2, ...finish })).toBe(false);
      expect(await hooks.countPending()).toBe(0);
      expect(await batches.finish('batch_1', 't', { now: NOW + 2, ...finish })).toBe(true);
      await batches.fail('batch_2', 't', { now: NOW + 3, errors: [] });
      const due = await claim({ now: NOW + 3 });
      expect(due.map(({ delivery: { eventId, type, data, eventAt } }) => [eventId, type, data, eventAt])).toEqual([
        ['evt_1', 'batch.completed', { id: 'batch_1' }, NOW + 2],
        ['evt_2', 'batch.failed', { id: 'batch_2' }, NOW + 3],
      ]);
    });

    it('deliveries are leased to one server at a time, and a lease that ended settles nothing', async () => {
      const other = (await subject.another()).webhooks;
      await hooks.insert(webhookRow('whe_1'), 9);
      await tell(event('evt_1'));
      const [one] = await claim();
      expect(
        await other.claimDue({ now: NOW + 59, until: NOW + 99, token: 'two', limit: 9, perWebhook: 9, busy: [] }),
      ).toEqual([]);
      const late = { now: NOW + 60, until: NOW + 120, token: 'two', limit: 9, perWebhook: 9, busy: [] };
      expect(eventsOf(await other.claimDue(late))).toEqual(['evt_1']);
      if (one === undefined) throw new Error('nothing was leased');
      const delivered = { outcome: 'delivered' as const, statusCode: 200 };
      expect(await hooks.settle(one.delivery, 'one', delivered, NOW + 61)).toBe(false);
      expect(await other.settle(one.delivery, 'two', delivered, NOW + 62)).toBe(true);
      expect(await hooks.deliveries('whe_1', { limit: 5 })).toMatchObject([
        { state: 'delivered', attempts: 1, statusCode: 200, error: null, attemptedAt: NOW + 62, endedAt: NOW + 62 },
      ]);
    });

    it('deliveries of one endpoint take no more than their part, and none of those that are busy', async () => {
      await hooks.insert(webhookRow('whe_1'), 9);
      await hooks.insert(webhookRow('whe_2', { eventTypes: ['batch.failed'] }), 9);
      for (const id of ['evt_1', 'evt_2', 'evt_3']) await tell(event(id));
      await tell(event('evt_4', { type: 'batch.failed', createdAt: NOW }));
      expect(eventsOf(await claim({ perWebhook: 2 }))).toEqual(['evt_1', 'evt_2', 'evt_4']);
      expect(await claim({ busy: ['whe_1'] })).toEqual([]);
      await hooks.recover({ others: 'another' });
      expect(eventsOf(await claim({ limit: 1 }))).toEqual(['evt_1']);
    });

    it('deliveries come again when they are due, end as failed, and start anew when somebody asks', async () => {
      await hooks.insert(webhookRow('whe_1'), 9);
      await tell(event('evt_1'));
      const [due] = await claim();
      if (due === undefined) throw new Error('nothing was leased');
      const error = 'no connection';
      await hooks.settle(due.delivery, 'one', { outcome: 'retry', statusCode: null, error, nextAt: NOW + 5 }, NOW);
      expect(await claim({ now: NOW + 4 })).toEqual([]);
      expect(eventsOf(await claim({ now: NOW + 5, until: NOW + 65 }))).toEqual(['evt_1']);
      await hooks.settle(due.delivery, 'one', { outcome: 'failed', statusCode: 500, error: 'status 500' }, NOW + 6);
      expect(await states('whe_1')).toEqual([['failed', 'status 500']]);
      expect(await hooks.redeliver('whe_1', 'evt_none', NOW)).toBeNull();
      expect(await hooks.redeliver('whe_1', 'evt_1', NOW + 7)).toMatchObject({
        state: 'pending',
        attempts: 2,
        firstAt: NOW + 7,
      });
      expect(eventsOf(await claim({ now: NOW + 7 }))).toEqual(['evt_1']);
      await hooks.settle(due.delivery, 'one', { outcome: 'delivered', statusCode: 204 }, NOW + 8);
      await hooks.deleteEndedBefore(NOW + 8, 10);
      expect(await states('whe_1')).toEqual([['delivered', null]]);
      await hooks.deleteEndedBefore(NOW + 9, 10);
      expect(await states('whe_1')).toEqual([]);
    });

    it('an endpoint that is gone, or disabled, is told nothing more, not even what waited', async () => {
      await hooks.insert(webhookRow('whe_1'), 9);
      for (const id of ['evt_1', 'evt_2']) await tell(event(id));
      const [due] = await claim({ limit: 1 });
      if (due === undefined) throw new Error('nothing was leased');
      await hooks.settle(due.delivery, 'one', { outcome: 'gone', statusCode: 410, error: 'status 410' }, NOW + 1);
      expect(await hooks.get('all', 'whe_1')).toMatchObject({ disabledAt: NOW + 1, disabledReason: 'gone' });
      expect((await states('whe_1'))?.map(([state]) => state)).toEqual(['failed', 'failed']);
      await tell(event('evt_3'));
      expect(await hooks.countPending()).toBe(0);
      expect(await hooks.update('all', 'whe_1', { enabled: true }, NOW + 2)).toMatchObject({ disabledAt: null });
      await tell(event('evt_4'));
      expect(await hooks.countPending()).toBe(1);
      const off = await hooks.update('all', 'whe_1', { enabled: false }, NOW + 3);
      expect(off).toMatchObject({ disabledAt: NOW + 3, disabledReason: 'by_request' });
      expect(await claim({ now: NOW + 9 })).toEqual([]);
    });

    it('deliveries are listed newest first from a cursor of their endpoint', async () => {
      await hooks.insert(webhookRow('whe_1'), 9);
      await hooks.insert(webhookRow('whe_2'), 9);
      for (const id of ['evt_1', 'evt_2', 'evt_3']) await tell(event(id));
      const ids = async (query: { limit: number; after?: string }) =>
        (await hooks.deliveries('whe_1', query))?.map(({ eventId }) => eventId);
      expect(await ids({ limit: 2 })).toEqual(['evt_3', 'evt_2']);
      expect(await ids({ limit: 2, after: 'evt_2' })).toEqual(['evt_1']);
      expect(await ids({ limit: 2, after: 'evt_none' })).toBeUndefined();
    });
  });
}
