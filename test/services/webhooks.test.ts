/** Deliveries over real HTTP, from a real database, at a clock that the tests move. */
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { WebhookEvent } from '../../src/ports/store-webhooks.ts';
import type { WebhookDeliveryObject, WebhookWithSecretObject } from '../../src/protocol/webhook.ts';
import { createWebhookSender } from '../../src/runtime/webhook-sender.ts';
import { WebhookRunner } from '../../src/services/webhooks/run.ts';
import { type Harness, openHarness } from '../http/harness.ts';
import { type Received, type Receiver, startReceiver } from './webhook-receiver.ts';

const DAY_MS = 86_400_000;
const client = new OpenAI({ apiKey: 'none', baseURL: 'http://127.0.0.1:1' });

let harness: Harness;
let receiver: Receiver;
let runner: WebhookRunner;

beforeEach(async () => {
  const sender = createWebhookSender(new Set(['127.0.0.1']));
  harness = await openHarness({ webhookSender: sender });
  // The official client accepts what was signed within five minutes.
  harness.time.nowMs = Date.now();
  receiver = await startReceiver();
  runner = new WebhookRunner(harness.deps);
});
afterEach(async () => {
  await runner.stop();
  await harness.deps.webhookSender.close();
  await receiver.close();
  await harness.close();
});

async function register(change: object = {}): Promise<WebhookWithSecretObject> {
  const json = { url: receiver.url, event_types: ['budget.alert'], ...change };
  const answer = await harness.send('POST', '/v1/webhooks', { json });
  expect(answer.status).toBe(200);
  return (await answer.json()) as WebhookWithSecretObject;
}

const event = (id: string): WebhookEvent => ({
  id,
  tenantId: 'default',
  type: 'budget.alert',
  createdAt: Math.floor(harness.time.nowMs / 1000),
  data: { budget: 'b', spent_usd: '0.8' },
});

const emit = (id: string) => harness.deps.store.budgets.tellAlert(id, [event(id)], event(id).createdAt);

/** Tells of an event and tries everything that is due. */
async function tell(id: string): Promise<void> {
  await emit(id);
  await runner.wake();
  await runner.idle();
}

async function deliveries(id: string): Promise<WebhookDeliveryObject[]> {
  const answer = await harness.send('GET', `/v1/webhooks/${id}/deliveries`);
  return ((await answer.json()) as { data: WebhookDeliveryObject[] }).data;
}

const unwrap = ({ body, headers }: Received, secret: string) =>
  client.webhooks.unwrap(body, headers as Record<string, string>, secret);

describe('deliveries of webhooks', () => {
  it('are signed as the official client checks, and nobody else’s signature passes', async () => {
    const { id, signing_secret: secret } = await register();
    await tell('evt_1');
    const [got] = receiver.received;
    if (got === undefined) throw new Error('nothing came');
    expect(await unwrap(got, secret)).toEqual({
      id: 'evt_1',
      object: 'event',
      type: 'budget.alert',
      created_at: Math.floor(harness.time.nowMs / 1000),
      data: { budget: 'b', spent_usd: '0.8' },
    });
    expect(got.headers['webhook-id']).toBe('evt_1');
    await expect(unwrap({ ...got, body: got.body.replace('0.8', '0.1') }, secret)).rejects.toThrow('signature');
    await expect(unwrap(got, `whsec_${Buffer.alloc(32).toString('base64')}`)).rejects.toThrow('signature');
    expect(await deliveries(id)).toMatchObject([
      { id: 'evt_1', status: 'delivered', attempts: 1, status_code: 204, error: null, next_attempt_at: null },
    ]);
  });

  it('carry both signatures for a day after a rotation that keeps the old secret', async () => {
    const { id, signing_secret: old } = await register();
    const answer = await harness.send('POST', `/v1/webhook_endpoints/${id}/rotate_secret`, {
      json: { keep_old_secret_active_for_24_hours: true },
    });
    const { signing_secret: fresh } = (await answer.json()) as WebhookWithSecretObject;
    expect(fresh).not.toBe(old);
    await tell('evt_1');
    harness.time.nowMs += DAY_MS + 1000;
    await tell('evt_2');
    const [first, second] = receiver.received;
    if (first === undefined || second === undefined) throw new Error('nothing came');
    await unwrap(first, old);
    await unwrap(first, fresh);
    const tolerant = (secret: string) =>
      client.webhooks.unwrap(second.body, second.headers as Record<string, string>, secret, 2 * 86_400);
    await expect(tolerant(old)).rejects.toThrow();
    expect(second.headers['webhook-signature']).not.toContain(' ');
  });

  it('are tried for a day while the endpoint is down, under one id, then fail, and can be asked for again', async () => {
    const { id } = await register();
    const statuses = [500, 302, 429, 404];
    receiver.answer = (response) => {
      response.writeHead(statuses[receiver.received.length % 4] ?? 500, { location: receiver.url }).end();
    };
    await tell('evt_1');
    for (let tries = 0; (await deliveries(id))[0]?.status === 'pending'; tries += 1) {
      expect(tries).toBeLessThan(40);
      harness.time.nowMs = ((await deliveries(id))[0]?.next_attempt_at ?? 0) * 1000;
      expect(await runner.wake()).toBe(1);
      await runner.idle();
    }
    const [failed] = await deliveries(id);
    expect(failed).toMatchObject({ status: 'failed', attempts: receiver.received.length });
    expect((failed?.ended_at ?? 0) - (failed?.created_at ?? 0)).toBeGreaterThan(86_400 - 8_700);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set(['evt_1']));
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);

    receiver.answer = (response) => response.writeHead(200).end();
    const again = await harness.send('POST', `/v1/webhooks/${id}/deliveries/evt_1/retry`);
    expect(await again.json()).toMatchObject({ status: 'pending' });
    await runner.wake();
    await runner.idle();
    expect(await deliveries(id)).toMatchObject([{ status: 'delivered', status_code: 200 }]);
  });

  it('end with an answer of 410, which disables the endpoint until somebody enables it', async () => {
    const { id } = await register();
    receiver.answer = (response) => response.writeHead(410).end();
    await tell('evt_1');
    await tell('evt_2');
    expect(receiver.received).toHaveLength(1);
    const shown = await harness.send('GET', `/v1/webhooks/${id}`);
    expect(await shown.json()).toMatchObject({ enabled: false, disabled_reason: 'gone' });
    const again = await harness.send('POST', `/v1/webhooks/${id}/deliveries/evt_1/retry`);
    expect(again.status).toBe(409);
    receiver.answer = (response) => response.writeHead(200).end();
    await harness.send('POST', `/v1/webhooks/${id}`, { json: { enabled: true } });
    await tell('evt_3');
    expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual(['evt_1', 'evt_3']);
  });

  it('of an endpoint that hangs hold up no other’s, and are sent again by whoever comes after a stop', async () => {
    const quick = await startReceiver();
    await register();
    await register({ url: quick.url });
    receiver.answer = () => undefined;
    for (let index = 0; index < 6; index += 1) await emit(`evt_${index}`);
    await vi.waitFor(
      async () => {
        await runner.wake();
        expect(quick.received).toHaveLength(6);
      },
      { timeout: 15_000, interval: 5 },
    );
    await receiver.until(4);
    expect(receiver.received).toHaveLength(4);
    const other = new WebhookRunner(harness.deps);
    expect(await other.wake()).toBe(2);
    await receiver.until(6);
    receiver.answer = (response) => response.end();
    // Both runners are told to stop without patience: what is under way goes back at once.
    Object.assign(harness.deps, { settings: { ...harness.deps.settings, drainSeconds: 0 } });
    await Promise.all([other.stop(), runner.stop()]);
    const next = new WebhookRunner(harness.deps);
    for (let round = 0; round < 2; round += 1) {
      await next.wake();
      await next.idle();
    }
    expect(new Set(receiver.received.slice(6).map(({ headers }) => headers['webhook-id'])).size).toBe(6);
    expect(await harness.deps.store.webhooks.countPending()).toBe(0);
    await quick.close();
  });

  it('log neither secrets, nor signatures, nor what may be secret in a URL', async () => {
    const { id, signing_secret: secret } = await register();
    await tell('evt_1');
    receiver.answer = (response) => response.writeHead(410).end();
    await tell('evt_2');
    await harness.send('POST', `/v1/webhooks/${id}/rotate_secret`, { json: {} });
    const text = JSON.stringify(harness.log);
    expect(text).toContain('webhook disabled');
    for (const canary of [secret.slice(6), 'secret-canary', 'v1,']) expect(text).not.toContain(canary);
  });
});
