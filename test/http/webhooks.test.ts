import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  webhookDeliveryPageSchema,
  webhookPageSchema,
  webhookSchema,
  webhookWithSecretSchema,
} from '../../src/protocol/webhook.ts';
import { createWebhookSender } from '../../src/runtime/webhook-sender.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  const resolve = async (host: string) => {
    if (host === 'nowhere.example') throw new Error('ENOTFOUND');
    return [{ address: host === 'inside.example' ? '10.0.0.1' : '93.184.216.34', family: 4 }];
  };
  harness = await openHarness({ webhookSender: createWebhookSender(new Set(), { resolve }) });
});
afterEach(async () => {
  await harness.deps.webhookSender.close();
  await harness.close();
});

const INPUT = { url: 'https://hooks.example/a', event_types: ['batch.completed', 'batch.completed'], name: 'ops' };

async function create(json: object = INPUT, key?: string) {
  const answer = await harness.send('POST', '/v1/webhooks', { json, ...(key !== undefined && { key }) });
  return webhookWithSecretSchema.parse(await answer.json());
}

describe('/v1/webhooks', () => {
  it('shows a secret at creation and at rotation only, also to a repeated call', async () => {
    const headers = { 'idempotency-key': 'once' };
    const first = await harness.send('POST', '/v1/webhooks', { json: INPUT, headers });
    const { signing_secret: secret, ...shown } = webhookWithSecretSchema.parse(await first.json());
    expect(secret).toMatch(/^whsec_[0-9A-Za-z+/]{43}=$/);
    expect(shown).toMatchObject({ event_types: ['batch.completed'], enabled: true, tenant_id: 'default' });
    const again = await harness.send('POST', '/v1/webhooks', { json: INPUT, headers });
    expect(await again.json()).toEqual(shown);
    const rotated = await harness.send('POST', `/v1/webhooks/${shown.id}/rotate_secret`);
    const fresh = webhookWithSecretSchema.parse(await rotated.json());
    expect(fresh.signing_secret).not.toBe(secret);
    expect(fresh.previous_secret_expires_at).toBeNull();
    for (const path of ['/v1/webhooks', `/v1/webhooks/${shown.id}`, `/v1/webhook_endpoints/${shown.id}`]) {
      const text = await (await harness.send('GET', path)).text();
      expect(text).toContain(shown.id);
      expect(text).not.toMatch(/signing_secret"/);
      expect(text).not.toContain(fresh.signing_secret.slice(6));
    }
    expect(JSON.stringify(harness.log)).not.toContain(fresh.signing_secret.slice(6));
  });

  it('makes one endpoint with one secret, and rotates it once, where the first answer was lost on its way', async () => {
    const first = await sendTwice('POST', '/v1/webhooks', { json: INPUT });
    const page = webhookPageSchema.parse(await (await harness.send('GET', '/v1/webhooks')).json());
    expect(page.data.map(({ id }) => id)).toEqual([first.id]);
    const rotated = await sendTwice('POST', `/v1/webhooks/${first.id}/rotate_secret`, {
      json: { keep_old_secret_active_for_24_hours: true },
    });
    expect(rotated.signing_secret).not.toBe(first.signing_secret);
    const row = await harness.deps.store.webhooks.get('all', first.id);
    expect([row?.secret, row?.previousSecret]).toEqual([rotated.signing_secret, first.signing_secret]);
  });

  /** Sends the same under one key, the second time after the answer of the first was not remembered; the answer to both. */
  async function sendTwice(method: string, path: string, options: { json: object }) {
    const headers = { 'idempotency-key': path };
    const { idempotency } = harness.deps.store;
    const finish = idempotency.finish.bind(idempotency);
    idempotency.finish = () => Promise.reject(new Error('killed'));
    const first = await (await harness.send(method, path, { ...options, headers })).json();
    idempotency.finish = finish;
    harness.time.nowMs += 1_000 * (harness.deps.settings.leaseSeconds + 1);
    const again = await (await harness.send(method, path, { ...options, headers })).json();
    expect(again).toEqual(first);
    return webhookWithSecretSchema.parse(first);
  }

  it('changes, pages and deletes', async () => {
    const one = await create();
    const two = await create({ ...INPUT, url: 'https://hooks.example/b' });
    harness.time.nowMs += 5_000;
    const changed = await harness.send('POST', `/v1/webhooks/${one.id}`, {
      json: { url: 'https://hooks.example/c', event_types: ['batch.failed', 'budget.alert'], enabled: false },
    });
    expect(webhookSchema.parse(await changed.json())).toMatchObject({
      url: 'https://hooks.example/c',
      event_types: ['batch.failed', 'budget.alert'],
      name: 'ops',
      enabled: false,
      disabled_reason: 'by_request',
      updated_at: one.updated_at + 5,
    });
    const unchanged = await harness.send('POST', `/v1/webhooks/${two.id}`, { json: {} });
    expect(await unchanged.json()).toMatchObject({ updated_at: two.updated_at });
    const page = webhookPageSchema.parse(await (await harness.send('GET', '/v1/webhooks?limit=1')).json());
    expect(page).toMatchObject({ has_more: true, last_id: two.id });
    const gone = await harness.send('DELETE', `/v1/webhooks/${one.id}`);
    expect(await gone.json()).toEqual({ id: one.id, object: 'webhook_endpoint.deleted', deleted: true });
    expect((await harness.send('DELETE', `/v1/webhooks/${one.id}`)).status).toBe(404);
    const log = await harness.send('GET', `/v1/webhooks/${two.id}/deliveries`);
    expect(webhookDeliveryPageSchema.parse(await log.json()).data).toEqual([]);
  });

  it('refuses URLs that do not lead to the public internet, and unknown fields and events, by name', async () => {
    const cases: [object, string, string][] = [
      [{ ...INPUT, url: 'http://hooks.example/a' }, 'url', 'webhook_url_refused'],
      [{ ...INPUT, url: 'https://127.1/a' }, 'url', 'webhook_url_refused'],
      [{ ...INPUT, url: 'https://inside.example/a' }, 'url', 'webhook_url_refused'],
      [{ ...INPUT, url: 'https://nowhere.example/a' }, 'url', 'webhook_url_refused'],
      [{ ...INPUT, event_types: [] }, 'event_types', 'invalid_value'],
      [{ ...INPUT, event_types: ['video.completed'] }, 'event_types[0]', 'invalid_value'],
      [{ event_types: ['batch.failed'] }, 'url', 'missing_required_parameter'],
      [{ ...INPUT, tenant_id: 'other' }, 'tenant_id', 'unknown_parameter'],
      [{ ...INPUT, secret: 'mine' }, 'secret', 'unknown_parameter'],
    ];
    for (const [json, param, code] of cases) {
      const answer = await harness.send('POST', '/v1/webhooks', { json });
      expect([json, answer.status]).toEqual([json, 400]);
      expect(await errorOf(answer)).toMatchObject({ param, code });
    }
    const { id } = await create();
    const moved = await harness.send('POST', `/v1/webhooks/${id}`, { json: { url: 'https://inside.example/' } });
    expect(await errorOf(moved)).toMatchObject({ code: 'webhook_url_refused' });
    expect(await (await harness.send('GET', `/v1/webhooks/${id}`)).json()).toMatchObject({ url: INPUT.url });
  });

  it('keeps tenants apart: another’s endpoint is as one that does not exist', async () => {
    const own = await create();
    const event = { id: 'evt_1', tenantId: 'default', type: 'budget.alert' as const, createdAt: 1, data: {} };
    await harness.deps.store.budgets.tellAlert(event.id, [event], 1);
    const { secret: key } = await harness.makeKey({ tenant_id: 'acme' });
    const theirs = await create({ ...INPUT, name: 'acme' }, key);
    expect(theirs.tenant_id).toBe('acme');
    const attempts: [string, string, unknown?][] = [
      ['GET', ''],
      ['POST', '', { name: 'mine' }],
      ['POST', '/rotate_secret', {}],
      ['POST', '/test', { event_type: 'batch.completed' }],
      ['GET', '/deliveries'],
      ['POST', '/deliveries/evt_1/retry'],
      ['DELETE', ''],
    ];
    for (const [method, path, json] of attempts) {
      const of = (id: string) =>
        harness.send(method, `/v1/webhooks/${id}${path}`, { key, ...(json !== undefined && { json }) });
      const [other, none] = [await of(own.id), await of('whe_none')];
      expect([method, path, other.status]).toEqual([method, path, 404]);
      expect((await other.text()).replace(own.id, 'whe_none')).toBe(await none.text());
    }
    const list = await harness.send('GET', '/v1/webhooks', { key });
    expect(webhookPageSchema.parse(await list.json()).data.map(({ id }) => id)).toEqual([theirs.id]);
    expect((await harness.send('GET', '/v1/webhooks?tenant_id=default', { key })).status).toBe(403);
    const all = await harness.send('GET', '/v1/webhooks?tenant_id=*');
    expect(webhookPageSchema.parse(await all.json()).data).toHaveLength(2);
  });

  it('stops at as many endpoints as a tenant may have', async () => {
    for (let index = 0; index < 20; index += 1) await create();
    const answer = await harness.send('POST', '/v1/webhooks', { json: INPUT });
    expect(await errorOf(answer)).toMatchObject({ code: 'too_many_webhooks' });
  });
});
