import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { startOpenAIBatchServer } from '../../providers/sandbox/servers/openai-batch.ts';
import type { LedgerFigures } from '../../src/protocol/ledger.ts';
import { assertInvariants } from './invariants.ts';
import {
  ADMIN_KEY,
  type Pools,
  spawnWeir,
  startPools,
  startWeir,
  temporaryFolder,
  type Weir,
  type WeirProcess,
  waitForBatch,
} from './weir.ts';

const PRICE = { input: 0.15, output: 0.6 };
const ask = (text: string) => ({ model: 'm', messages: [{ role: 'user' as const, content: text }], max_tokens: 8 });

function configOf(baseUrl: string, settings: object = {}): object {
  const provider = { kind: 'vllm', base_urls: [baseUrl], models: ['m'], price: PRICE, limits: { concurrency: 32 } };
  return {
    providers: { p: provider },
    settings: { autobatch_window_seconds: 1, autobatch_wait_ms: 100, ...settings },
  };
}

describe('auto-batching', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  async function open(server: Parameters<typeof startPools>[0][number], settings: object = {}): Promise<void> {
    pools = await startPools([{ models: ['m'], log_size: 100, ...server }]);
    weir = await startWeir(configOf(pools.servers[0]?.baseUrl ?? '', settings));
  }

  function client(options: { maxRetries?: number; timeout?: number } = {}): OpenAI {
    return new OpenAI({
      apiKey: ADMIN_KEY,
      baseURL: `${weir.url}/batching/v1`,
      maxRetries: 0,
      timeout: 20_000,
      ...options,
    });
  }

  async function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${weir.url}/batching/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  }

  const received = (): number => pools.servers[0]?.counters.received ?? 0;

  it('answers many calls from few batches: every endpoint, streams too, each bought once', async () => {
    await open({});
    const openai = client();
    const chats = Array.from({ length: 40 }, (_, index) => openai.chat.completions.create(ask(`Question ${index}`)));
    const [answers, response, text, vector] = await Promise.all([
      Promise.all(chats),
      openai.responses.create({ model: 'm', input: 'Hello' }),
      openai.completions.create({ model: 'm', prompt: 'Hello' }),
      openai.embeddings.create({ model: 'm', input: 'Hello' }),
    ]);
    expect(answers.every(({ choices }) => choices[0]?.message.content)).toBe(true);
    expect([response.object, text.object, vector.object]).toEqual(['response', 'text_completion', 'list']);
    expect(received()).toBe(43);
    const batches = await weir.client.batches.list();
    expect(batches.data.length).toBeLessThanOrEqual(8);

    const stream = await openai.chat.completions.create({
      ...ask('Stream'),
      stream: true,
      stream_options: { include_usage: true },
    });
    let content = '';
    let total = 0;
    for await (const chunk of stream) {
      content += chunk.choices[0]?.delta.content ?? '';
      total += chunk.usage?.total_tokens ?? 0;
    }
    expect(content).not.toBe('');
    expect(total).toBeGreaterThan(0);
    const { total: sums } = await weir.call<{ total: LedgerFigures }>('/v1/ledger/summary');
    expect(sums).toMatchObject({ entries: 44, requests: 44 });
  });

  it('gives a client that gave up the same call when it asks again', async () => {
    await open({ latency_ms: 700 });
    const patient = client({ timeout: 300, maxRetries: 10 });
    const answer = await patient.chat.completions.create(ask('Slow'));
    expect(answer.choices[0]?.message.content).toBeTruthy();
    expect(received()).toBe(1);
  });

  it('tells calls that are alike from one that is repeated', async () => {
    await open({ latency_ms: 300 });
    const twice = await Promise.all([post('/chat/completions', ask('Same')), post('/chat/completions', ask('Same'))]);
    expect(twice.map(({ status }) => status)).toEqual([200, 200]);
    expect(received()).toBe(2);
    const named = { 'idempotency-key': 'order-7' };
    const once = await Promise.all([
      post('/chat/completions', ask('Named'), named),
      post('/chat/completions', ask('Named'), named),
    ]);
    expect(await once[0]?.text()).toBe(await once[1]?.text());
    expect(received()).toBe(3);
    const other = await post('/chat/completions', ask('Another'), named);
    expect(other.status).toBe(409);
    // An answer that was delivered is not given to the next who asks the same, unless it is a repetition.
    const again = await post('/chat/completions', ask('Same'), { 'x-stainless-retry-count': '1' });
    expect(again.status).toBe(200);
    expect(received()).toBe(3);
    await post('/chat/completions', ask('Same'));
    expect(received()).toBe(4);
  });

  it('answers as the client asks to be answered: 202 with a URL, 422 while pending, 408 to try again, or now', async () => {
    await open({ latency_ms: 300 }, { autobatch_wait_ms: 200 });
    const later = await post('/chat/completions', ask('Later'), { prefer: 'respond-async' });
    expect(later.status).toBe(202);
    const { url } = (await later.json()) as { url: string };
    expect(later.headers.get('location')).toBe(url);
    const done = await fetch(`${weir.url}${url}?wait=10`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
    expect([done.status, ((await done.json()) as { object: string }).object]).toEqual([200, 'chat.completion']);

    const polling = { model: 'm', input: 'Poll', metadata: { originalBaseUrl: 'https://api.openai.com/v1' } };
    expect((await post('/responses', polling)).status).toBe(422);
    await expect.poll(async () => (await post('/responses', polling)).status, { timeout: 10_000 }).toBe(200);

    const pending = await post('/chat/completions', ask('Brief'), { prefer: 'wait=0' });
    expect([pending.status, pending.headers.get('x-should-retry')]).toEqual([408, 'true']);
    expect((await post('/chat/completions', ask('Brief'))).status).toBe(200);

    const batches = (await weir.client.batches.list()).data.length;
    const now = await post('/chat/completions', ask('Now'), { 'x-weir-priority': 'interactive' });
    expect([now.status, now.headers.get('x-weir-provider')]).toEqual([200, 'p']);
    expect((await weir.client.batches.list()).data).toHaveLength(batches);

    const { secret } = await weir.call<{ secret: string }>('/v1/keys', {
      method: 'POST',
      body: JSON.stringify({ name: 'other', tenant_id: 'other' }),
    });
    const foreign = await fetch(`${weir.url}${url}`, { headers: { authorization: `Bearer ${secret}` } });
    expect(foreign.status).toBe(404);
    expect((await post('/chat/completions', { ...ask('x'), model: 'nothing' })).status).toBe(404);
    expect((await post('/chat/completions', ask('x'), { 'x-weir-deadline': 'soon' })).status).toBe(400);
    expect(received()).toBe(4);
  });

  it('answers calls whose route is deleted while they are parked', async () => {
    await open({}, { autobatch_wait_ms: 2_500 });
    const config = { strategy: { mode: 'single' }, targets: [{ provider: 'p', model: 'm' }] };
    await weir.call('/v1/routes', { method: 'POST', body: JSON.stringify({ name: 'brief', config }) });
    const wishes = { prefer: 'respond-async', 'x-weir-config': 'brief' };
    const parked = await post('/chat/completions', ask('Parked'), wishes);
    const { url } = (await parked.json()) as { url: string };
    await weir.call('/v1/routes/brief', { method: 'DELETE' });
    const answer = await fetch(`${weir.url}${url}?wait=15`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { code: 'route_not_found' } });
    expect(received()).toBe(0);
  });

  /** Clients of a server that dies under them: each asks its question until it is answered, and says what it got. */
  async function openMortal(makeConfig: (waitMs: number) => object) {
    const folder = await temporaryFolder();
    const path = join(folder, 'weir.yaml');
    let server: WeirProcess | null = null;
    let up = new AbortController();
    const send = async (text: string, headers: Record<string, string> = {}): Promise<Response | null> => {
      while (server === null) await once(up.signal, 'abort');
      return fetch(`${server.url}/batching/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json', ...headers },
        body: JSON.stringify(ask(text)),
      }).catch(() => null);
    };
    return {
      send,
      async start(waitMs: number): Promise<WeirProcess> {
        await writeFile(path, JSON.stringify(makeConfig(waitMs)));
        const started = await spawnWeir(path, folder);
        server = started;
        up.abort();
        return started;
      },
      async end(how: 'kill' | 'terminate'): Promise<void> {
        const ending = server;
        server = null;
        up = new AbortController();
        await ending?.[how]();
      },
      /** The id of the answer that this client got. */
      async insist(text: string): Promise<string> {
        for (;;) {
          const answer = await send(text);
          const body = await answer?.text().catch(() => null);
          if (answer?.status === 200 && body) return (JSON.parse(body) as { id: string }).id;
        }
      },
      async close(): Promise<void> {
        await server?.terminate();
        await rm(folder, { recursive: true, force: true });
      },
    };
  }

  it('delivers each answer once and buys it once when the server is killed with 200 calls parked, and ends in between', async () => {
    pools = await startPools([{ models: ['m'], latency_ms: 5 }]);
    const mortal = await openMortal((waitMs) =>
      configOf(pools.servers[0]?.baseUrl ?? '', { autobatch_wait_ms: waitMs }),
    );
    const texts = Array.from({ length: 200 }, (_, index) => `Question ${index}`);
    try {
      await mortal.start(60_000);
      const parked = await Promise.all(texts.map((text) => mortal.send(text, { prefer: 'respond-async' })));
      expect(parked.every((answer) => answer?.status === 202)).toBe(true);
      const all = Promise.all(texts.map((text) => mortal.insist(text)));
      await mortal.end('kill');
      expect(received()).toBe(0);
      await mortal.start(200);
      await expect.poll(() => received(), { timeout: 60_000 }).toBeGreaterThan(20);
      // An orderly end in the middle: what is in flight is finished, the rest is found again.
      await mortal.end('terminate');
      const server = await mortal.start(200);
      expect(new Set(await all).size).toBe(200);
      expect(received()).toBe(200);
      const summary = await server.call<{ total: LedgerFigures }>('/v1/ledger/summary');
      expect(summary.total).toMatchObject({ entries: 200, requests: 200, unpriced_entries: 0 });
    } finally {
      await mortal.close();
    }
  }, 150_000);

  it('does so for 1,000 calls that a provider runs as a batch, killed while they are parked and while their batch is at the provider', async () => {
    const provider = await startOpenAIBatchServer({ job_ms: 0, stop_at: 0 });
    const mortal = await openMortal((waitMs) => ({
      providers: { p: { kind: 'openai', base_url: provider.baseUrl, api_key: 'sk-1', models: ['m'], price: PRICE } },
      settings: {
        autobatch_wait_ms: waitMs,
        autobatch_calls: 5_000,
        autobatch_window_seconds: 86_400,
        poll_seconds_min: 1,
      },
    }));
    const texts = Array.from({ length: 1_000 }, (_, index) => `Question ${index}`);
    try {
      await mortal.start(60_000);
      const parked = await Promise.all(texts.map((text) => mortal.send(text, { prefer: 'respond-async' })));
      expect(parked.every((answer) => answer?.status === 202)).toBe(true);
      const all = Promise.all(texts.map((text) => mortal.insist(text)));
      await mortal.end('kill');
      expect(provider.counters.batches_created).toBe(0);
      await mortal.start(200);
      await expect.poll(() => provider.counters.batches_created, { timeout: 60_000 }).toBe(1);
      await mortal.end('kill');
      provider.configure({ stop_at: null });
      const server = await mortal.start(200);
      expect(new Set(await all).size).toBe(1_000);
      expect(provider.counters).toMatchObject({ batches_created: 1, lines_run: 1_000 });
      const [batch] = (await server.client.batches.list()).data;
      // The last answers are delivered while their batch still writes its files.
      await waitForBatch(server, batch?.id ?? '');
      const input = await (await server.client.files.content(batch?.input_file_id ?? '')).text();
      const { entries } = await assertInvariants(server, batch?.id ?? '', input);
      expect(entries).toHaveLength(1_000);
      expect(entries.every(({ mode, amount_nano_usd: amount }) => mode === 'batch' && amount !== null)).toBe(true);
      await expect.poll(() => provider.held(), { timeout: 30_000 }).toEqual({ live: 0, files: 0 });
    } finally {
      await mortal.close();
      await provider.stop();
    }
  }, 150_000);
});
