import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Received, type Receiver, startReceiver } from '../services/webhook-receiver.ts';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  type Pools,
  spawnWeir,
  splitConfig,
  startPools,
  startWeir,
  submit,
  temporaryFolder,
  waitForBatch,
} from './weir.ts';

const LINES = chatLines(20);

describe('webhooks of batches', () => {
  let pools: Pools;
  let receiver: Receiver;
  let config: Record<string, unknown>;
  const stops: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    pools = await startPools([{ models: ['gpt-4o-mini'] }]);
    receiver = await startReceiver();
    const urls = pools.servers.map((server) => server.baseUrl);
    config = { ...splitConfig(urls, [1]), webhooks: { allow_hosts: ['127.0.0.1'] } };
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
    await receiver.close();
    await pools.stop();
  });

  const unwrap = (client: OpenAI, { body, headers }: Received, secret: string) =>
    client.webhooks.unwrap(body, headers as Record<string, string>, secret);

  it('tell the official client, which registered, of every way a batch ends', async () => {
    const weir = await startWeir(config);
    stops.push(() => weir.stop());
    const { webhooks } = weir.client;
    const hook = await webhooks.create({
      name: 'ops',
      url: receiver.url,
      event_types: ['batch.completed', 'batch.failed', 'batch.cancelled'],
    });
    const secret = hook.signing_secret;
    expect(await webhooks.retrieve(hook.id)).toMatchObject({ name: 'ops', object: 'webhook_endpoint' });
    expect((await webhooks.eventTypes.list()).data).toContain('batch.expired');
    const tested = await webhooks.test(hook.id, { event_type: 'batch.completed' });
    expect(tested).toMatchObject({ status_code: 204, success: true });
    receiver.received.splice(0);

    const { id } = await submit(weir, LINES, { config: 'split' });
    const ended = await waitForBatch(weir, id);
    await receiver.until(1);
    const broken = await submit(weir, '{"custom_id": 1}\n', { config: 'split' });
    await receiver.until(2);
    const held = await submit(weir, LINES, { config: 'split', window: '24h' });
    await weir.client.batches.cancel(held.id);
    await receiver.until(3);
    const events = await Promise.all(receiver.received.map((each) => unwrap(weir.client, each, secret)));
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      ['batch.completed', { id }],
      ['batch.failed', { id: broken.id }],
      ['batch.cancelled', { id: held.id }],
    ]);
    expect(events[0]).toMatchObject({ created_at: ended.completed_at, object: 'event' });

    const fresh = await webhooks.rotateSecret(hook.id, { keep_old_secret_active_for_24_hours: true });
    await submit(weir, LINES, { config: 'split' });
    await receiver.until(4);
    for (const each of [secret, fresh.signing_secret]) {
      await unwrap(weir.client, receiver.received[3] as Received, each);
    }
    await webhooks.update(hook.id, { event_types: ['batch.expired'] });
    expect((await webhooks.list()).data).toMatchObject([{ id: hook.id, event_types: ['batch.expired'] }]);
    await webhooks.delete(hook.id);
    const metrics = await (await fetch(`${weir.url}/metrics`)).text();
    expect(metrics).toMatch(/^weir_webhook_tries_total\{outcome="delivered"\} 4$/m);
    await assertInvariants(weir, id, LINES);
  });

  it('come after kill -9 under the same id: what was sent and not settled is sent again', async () => {
    const folder = await temporaryFolder();
    stops.push(() => rm(folder, { recursive: true, force: true }));
    const path = join(folder, 'weir.json');
    await writeFile(path, JSON.stringify(config));
    const data = join(folder, 'data');
    const first = await spawnWeir(path, data);
    stops.push(() => first.kill());
    await first.client.webhooks.create({ name: '', url: receiver.url, event_types: ['batch.completed'] });
    receiver.answer = () => undefined;
    const { id } = await submit(first, LINES, { config: 'split' });
    await receiver.until(1);
    await first.kill();
    receiver.answer = (response) => response.writeHead(200).end();
    const second = await spawnWeir(path, data);
    stops.push(() => second.kill());
    await receiver.until(2);
    const [before, after] = receiver.received;
    expect(after?.headers['webhook-id']).toBe(before?.headers['webhook-id']);
    expect(after?.body).toBe(before?.body);
    await assertInvariants(second, id, LINES);
  });
});
