import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import type { LedgerFigures } from '../../src/protocol/ledger.ts';
import { ADMIN_KEY, type Pools, spawnWeir, startPools, startWeir, temporaryFolder, type Weir } from './weir.ts';

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

  it('delivers each answer once and buys it once when the server is killed with 500 calls parked, and ends in between', async () => {
    pools = await startPools([{ models: ['m'], latency_ms: 5 }]);
    const folder = await temporaryFolder();
    const config = join(folder, 'weir.yaml');
    const configure = (waitMs: number) =>
      writeFile(config, JSON.stringify(configOf(pools.servers[0]?.baseUrl ?? '', { autobatch_wait_ms: waitMs })));
    await configure(60_000);
    let server = await spawnWeir(config, folder);
    const send = (index: number, headers: Record<string, string> = {}): Promise<Response | null> =>
      fetch(`${server.url}/batching/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json', ...headers },
        body: JSON.stringify(ask(`Question ${index}`)),
      }).catch(() => null);
    const indexes = Array.from({ length: 500 }, (_, index) => index);
    try {
      const parked = await Promise.all(indexes.map((index) => send(index, { prefer: 'respond-async' })));
      expect(parked.every((answer) => answer?.status === 202)).toBe(true);
      let delivered = 0;
      const run = async (index: number): Promise<void> => {
        for (;;) {
          const answer = await send(index);
          const body = await answer?.text().catch(() => null);
          if (answer?.status === 200 && body) break;
          await new Promise((wake) => setTimeout(wake, 100));
        }
        delivered += 1;
      };
      const all = Promise.all(indexes.map(run));
      await server.kill();
      expect(received()).toBe(0);
      await configure(200);
      server = await spawnWeir(config, folder);
      await expect.poll(() => received(), { timeout: 60_000 }).toBeGreaterThan(50);
      // An orderly end in the middle: what is in flight is finished, the rest is found again.
      await server.terminate();
      server = await spawnWeir(config, folder);
      await all;
      expect(delivered).toBe(500);
      expect(received()).toBe(500);
      const summary = await server.call<{ total: LedgerFigures }>('/v1/ledger/summary');
      expect(summary.total).toMatchObject({ entries: 500, requests: 500, unpriced_entries: 0 });
    } finally {
      await server.terminate();
      await rm(folder, { recursive: true, force: true });
    }
  }, 150_000);
});
