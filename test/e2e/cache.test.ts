import { afterEach, describe, expect, it } from 'vitest';
import { startOpenAIBatchServer } from '../../providers/sandbox/servers/openai-batch.ts';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  connect,
  type Pools,
  realInput,
  startPools,
  startWeir,
  submit,
  type Weir,
  waitForBatch,
} from './weir.ts';

const ask = (text: string, extra: object = {}) => ({
  model: 'kept',
  messages: [{ role: 'user' as const, content: text }],
  ...extra,
});

describe('the cache of a route', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  async function open(latencyMs = 0, price: object = { input: 1, output: 2 }): Promise<void> {
    pools = await startPools([{ models: ['m'], latency_ms: latencyMs }]);
    const provider = {
      kind: 'vllm',
      base_urls: [pools.servers[0]?.baseUrl],
      models: ['m'],
      price,
      limits: { concurrency: 8 },
    };
    weir = await startWeir({
      providers: { p: provider },
      routes: { kept: { provider: 'p', model: 'm', cache: { mode: 'simple', max_age: 3600 } } },
    });
  }

  const received = (): number => pools.servers[0]?.counters.received ?? 0;
  const entries = async (): Promise<LedgerEntryObject[]> =>
    (await weir.call<{ data: LedgerEntryObject[] }>('/v1/ledger/entries?limit=100&order=asc')).data;

  it('gives an answer again for nothing, to the same tenant and the same question only', async () => {
    await open();
    const first = await weir.client.chat.completions.create(ask('Twice', { temperature: 0 }));
    // Kept beside the answer, within moments.
    await expect
      .poll(async () => {
        const { response } = await weir.client.chat.completions.create(ask('Twice', { temperature: 0 })).withResponse();
        return response.headers.get('x-weir-cache');
      })
      .toBe('hit');
    const sent = received();
    const { data: again, response } = await weir.client.chat.completions
      .create({ temperature: 0, ...ask('Twice'), metadata: { team: 'blue' } })
      .withResponse();
    expect([again.object, response.headers.get('x-weir-cost-nano-usd')]).toEqual(['chat.completion', '0']);
    expect(received()).toBe(sent);
    const paid = (await entries()).find(({ amount_nano_usd: amount }) => amount !== 0);
    expect((await entries()).at(-1)).toMatchObject({
      status: 'succeeded',
      amount_nano_usd: 0,
      list_amount_nano_usd: paid?.list_amount_nano_usd,
      tags: { team: 'blue' },
      usage: null,
    });
    expect(again.choices[0]?.message.content).toBe(first.choices[0]?.message.content);

    let text = '';
    const stream = await weir.client.chat.completions.create({ ...ask('Twice', { temperature: 0 }), stream: true });
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe(first.choices[0]?.message.content);
    expect(received()).toBe(sent);

    await weir.client.chat.completions.create(ask('Twice', { temperature: 1 }));
    await weir.client.chat.completions.create(ask('Twice', { temperature: 0 }), { headers: { 'x-weir-cache': 'off' } });
    const { secret } = await weir.call<{ secret: string }>('/v1/keys', {
      method: 'POST',
      body: JSON.stringify({ name: 'other', tenant_id: 'other' }),
    });
    await connect(weir.url, secret).client.chat.completions.create(ask('Twice', { temperature: 0 }));
    expect(received()).toBe(sent + 3);
  });

  it('runs identical lines of a batch once, and accounts for each', async () => {
    await open(20);
    const input = chatLines(60, (index) => ask(`Question ${index % 12}`, { max_tokens: 64 }));
    const batch = await submit(weir, input, { config: 'kept' });
    const done = await waitForBatch(weir, batch.id);
    expect(done.request_counts).toEqual({ total: 60, completed: 60, failed: 0 });
    expect(received()).toBe(12);
    const { entries: booked } = await assertInvariants(weir, batch.id, input);
    expect(booked).toHaveLength(60);
    expect(booked.filter(({ amount_nano_usd: amount }) => amount === 0)).toHaveLength(48);
    expect(booked.every(({ list_amount_nano_usd: list }) => list !== null && list > 0)).toBe(true);
  });

  it('gives the whole time of a pool that is paid by the hour to the line that was sent, and none to those that wait for it', async () => {
    const latencyMs = 200;
    await open(latencyMs, { gpu_hour: 3.6, gpus: 1 });
    const input = chatLines(8, () => ask('The same'));
    const batch = await submit(weir, input, { config: 'kept' });
    await waitForBatch(weir, batch.id);
    const { entries: booked } = await assertInvariants(weir, batch.id, input);
    const paid = booked.filter(({ amount_nano_usd: amount }) => amount !== 0);
    expect([paid.length, received(), booked.length]).toEqual([1, 1, 8]);
    expect(paid[0]?.usage?.gpu_microseconds).toBeGreaterThan(latencyMs * 900);
  });

  it('buys what follows an answer that did not serve once for identical lines, and not again in the next batch', async () => {
    await open(20);
    const input = chatLines(50, (index) => ask(`Question ${index % 2}`, { max_tokens: 4 }));
    const healing = { action: 'retry', max_tokens_factor: 16, attempts: 2 };
    const config = { provider: 'p', model: 'm', cache: { mode: 'simple', max_age: 3600 }, on_truncation: healing };
    const run = async (): Promise<number> => {
      const batch = await submit(weir, input, { config });
      expect((await waitForBatch(weir, batch.id)).request_counts).toEqual({ total: 50, completed: 50, failed: 0 });
      const { entries: booked, lines } = await assertInvariants(weir, batch.id, input);
      expect(lines.every(({ weir: { finish_reason: end, attempts } }) => end === 'stop' && attempts > 1)).toBe(true);
      expect(booked.length).toBeGreaterThanOrEqual(100);
      return booked.filter(({ amount_nano_usd: amount }) => amount !== 0).length;
    };
    const paid = await run();
    // Two questions, each asked again once or twice.
    expect(paid).toBe(received());
    expect(paid).toBeLessThanOrEqual(6);
    expect(await run()).toBe(0);
    expect(received()).toBe(paid);
  });

  it('buys what follows an answer that did not serve once for calls, side by side and later', async () => {
    await open(50);
    const config = {
      provider: 'p',
      model: 'm',
      cache: { mode: 'simple', max_age: 3600 },
      on_truncation: { action: 'retry', max_tokens_factor: 16, attempts: 2 },
    };
    const create = () =>
      weir.client.chat.completions
        .create(ask('Cut short', { max_tokens: 4 }), { headers: { 'x-weir-config': JSON.stringify(config) } })
        .withResponse();
    const answers = await Promise.all([create(), create(), create()]);
    answers.push(await create());
    for (const { data } of answers) expect(data.choices[0]?.finish_reason).toBe('stop');
    const hits = answers.map(({ response }) => response.headers.get('x-weir-cache')).filter((hit) => hit === 'hit');
    expect(hits).toHaveLength(3);
    expect(received()).toBeGreaterThan(1);
    expect(received()).toBeLessThan(4);
    const booked = await entries();
    expect(booked.filter(({ amount_nano_usd: amount }) => amount !== 0)).toHaveLength(received());
    expect(booked).toHaveLength(4 * received());
    expect(booked.every(({ list_amount_nano_usd: list }) => (list ?? 0) > 0)).toBe(true);
  });

  it('keeps finished streams, and gives them again as they were', async () => {
    await open();
    const stream = async (path: 'chat' | 'responses', text: string): Promise<[string, string | null]> => {
      const heard =
        path === 'chat'
          ? await weir.client.chat.completions.create({ ...ask(text), stream: true }).withResponse()
          : await weir.client.responses.create({ model: 'kept', input: text, stream: true }).withResponse();
      let said = '';
      let ended = false;
      for await (const event of heard.data) {
        if ('choices' in event) {
          said += event.choices[0]?.delta.content ?? '';
          ended ||= event.choices[0]?.finish_reason === 'stop';
        } else if (event.type === 'response.output_text.delta') said += event.delta;
        else ended ||= event.type === 'response.completed';
      }
      expect(ended).toBe(true);
      return [said, heard.response.headers.get('x-weir-cache')];
    };
    for (const path of ['chat', 'responses'] as const) {
      const before = received();
      const [first] = await stream(path, 'Streamed');
      expect(first).not.toBe('');
      let again = await stream(path, 'Streamed');
      // Kept within moments.
      await expect
        .poll(async () => {
          again = await stream(path, 'Streamed');
          return again[1];
        })
        .toBe('hit');
      expect(again[0]).toBe(first);
      const sent = received();
      expect(sent - before).toBeLessThan(10);
      if (path === 'chat') {
        const whole = await weir.client.chat.completions.create(ask('Streamed'));
        expect(whole.choices[0]?.message.content).toBe(first);
        expect(whole.usage?.total_tokens).toBeGreaterThan(0);
      }
      expect(received()).toBe(sent);
    }
  });

  it('sends calls that are alike and come side by side once, and one that fails for each', async () => {
    await open(150);
    const sideBySide = Array.from({ length: 12 }, () =>
      weir.client.chat.completions.create(ask('Alike')).withResponse(),
    );
    const answers = await Promise.all(sideBySide);
    expect(received()).toBe(1);
    expect(new Set(answers.map(({ data }) => data.id)).size).toBe(1);
    const hits = answers.filter(({ response }) => response.headers.get('x-weir-cache') === 'hit');
    expect(hits).toHaveLength(11);
    const booked = await entries();
    expect(booked).toHaveLength(12);
    expect(booked.filter(({ amount_nano_usd: amount }) => amount === 0)).toHaveLength(11);
    expect(new Set(booked.map(({ list_amount_nano_usd: list }) => list)).size).toBe(1);

    pools.servers[0]?.configure({ poison: [{ contains: 'Failing', fail_with: 400 }] });
    const failing = Array.from({ length: 3 }, () => weir.client.chat.completions.create(ask('Failing')));
    const failed = await Promise.allSettled(failing);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(received()).toBe(4);
  });

  it('lets calls that stream the same listen to one stream, from its beginning and to its end', async () => {
    await open();
    pools.servers[0]?.configure({ latency_ms: { base: 100, per_token: 15 } });
    interface Listener {
      said: string;
      usages: number;
      hit: boolean;
      ended: boolean;
    }
    const listen = async (until = Number.POSITIVE_INFINITY, usage = false): Promise<Listener> => {
      const options = usage ? { stream_options: { include_usage: true } } : {};
      const { data, response } = await weir.client.chat.completions
        .create({ ...ask('Together'), ...options, stream: true })
        .withResponse();
      const heard = { said: '', usages: 0, hit: response.headers.get('x-weir-cache') === 'hit', ended: false };
      for await (const chunk of data) {
        heard.said += chunk.choices[0]?.delta.content ?? '';
        if (chunk.usage) heard.usages += 1;
        heard.ended ||= chunk.choices[0]?.finish_reason === 'stop';
        if (heard.said.length > until) break;
      }
      return heard;
    };
    // The first one leaves after some words; one joins when it has left.
    const first = listen(10);
    await expect.poll(received, { interval: 10 }).toBe(1);
    const others = Array.from({ length: 4 }, (_, index) => listen(Number.POSITIVE_INFINITY, index === 0));
    const left = await first;
    const late = await Promise.all([...others, listen()]);
    const sent = received();
    expect([sent, left.hit, left.ended]).toEqual([1, false, false]);
    expect(late.map(({ hit, ended }) => [hit, ended])).toEqual(Array.from({ length: 5 }, () => [true, true]));
    expect(late.map(({ usages }) => usages)).toEqual([1, 0, 0, 0, 0]);
    expect(new Set(late.map(({ said }) => said)).size).toBe(1);
    expect(late[0]?.said.startsWith(left.said)).toBe(true);
    const booked = await entries();
    expect(booked.map(({ status, estimated }) => [status, estimated])).toEqual(
      Array.from({ length: 6 }, () => ['succeeded', false]),
    );
    const paid = booked.filter(({ amount_nano_usd: amount }) => amount !== 0);
    expect(paid).toHaveLength(1);
    expect(paid[0]?.usage?.output_tokens).toBe(pools.servers[0]?.counters.tokens_out);
    expect(new Set(booked.map(({ list_amount_nano_usd: list }) => list))).toEqual(new Set([paid[0]?.amount_nano_usd]));

    // All leave: the stream is given up, and entered once, as far as it was heard.
    let begun = 0;
    const all = Promise.withResolvers<void>();
    const begin = (): Promise<void> => {
      begun += 1;
      if (begun === 3) all.resolve();
      return all.promise;
    };
    await Promise.all([1, 2, 3].map(() => listenTo('Given up', begin)));
    await expect.poll(() => pools.servers[0]?.counters.client_aborts).toBe(1);
    await expect.poll(async () => (await entries()).length).toBe(7);
    const unknown = async () =>
      (await entries()).flatMap(({ status, error_code: code }) => (status === 'unknown' ? [code] : []));
    expect(await unknown()).toEqual(['client_disconnected']);

    // What fails before its first word fails for each; what breaks off after it does so for all.
    pools.servers[0]?.configure({ poison: [{ contains: 'Failing', fail_with: 400 }] });
    const failing = await Promise.allSettled([1, 2, 3].map(() => listenTo('Failing')));
    expect(failing.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    const before = received();
    pools.servers[0]?.configure({ rate_reset_mid_body: 1 });
    const broken = await Promise.allSettled([1, 2, 3].map(() => listenTo('Broken')));
    expect(broken.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(received()).toBeLessThan(before + 3);
    await expect.poll(async () => (await unknown()).length).toBeGreaterThan(1);
  });

  /** Listens to a stream; with `leave`, only until it resolves, which is asked for when the first words are there. */
  async function listenTo(text: string, leave?: () => Promise<void>): Promise<void> {
    for await (const chunk of await weir.client.chat.completions.create({ ...ask(text), stream: true })) {
      if (leave === undefined || !chunk.choices[0]?.delta.content) continue;
      await leave();
      break;
    }
  }

  it('holds for a key that asks for it, whatever its routes say, and for no other', async () => {
    await open();
    const makeKey = async (limits: object): Promise<ReturnType<typeof connect>> => {
      const body = JSON.stringify({ name: 'evaluator', tenant_id: 'team', limits });
      const { secret } = await weir.call<{ secret: string }>('/v1/keys', { method: 'POST', body });
      return connect(weir.url, secret);
    };
    const keeps = await makeKey({ cache_seconds: 600 });
    const pays = await makeKey({});
    const input = chatLines(20, (index) => ({ model: 'p/m', messages: ask(`Question ${index % 5}`).messages }));
    const batch = await submit(keeps, input);
    await waitForBatch(keeps, batch.id);
    expect(received()).toBe(5);
    await assertInvariants(keeps, batch.id, input);
    const { messages } = ask('Question 3');
    const call = { model: 'p/m', messages, max_tokens: 64 };
    const { response } = await keeps.client.chat.completions.create(call).withResponse();
    expect(response.headers.get('x-weir-cache')).toBe('hit');
    const other = await pays.client.chat.completions.create(call).withResponse();
    expect(other.response.headers.get('x-weir-cache')).toBeNull();
    expect(received()).toBe(6);
  });

  it('takes nothing of the tokens a minute that its key may use', async () => {
    await open();
    const limits = { cache_seconds: 600, tokens_per_minute: 40_000 };
    const body = JSON.stringify({ name: 'evaluator', tenant_id: 'team', limits });
    const { secret } = await weir.call<{ secret: string }>('/v1/keys', { method: 'POST', body });
    const key = connect(weir.url, secret);
    // Bought one by one, they would take five minutes.
    const messages = [{ role: 'user', content: 'Say it again. '.repeat(300) }];
    const batch = await submit(
      key,
      chatLines(200, () => ({ model: 'p/m', messages, max_tokens: 16 })),
    );
    expect(await waitForBatch(key, batch.id)).toMatchObject({ status: 'completed' });
    expect(received()).toBe(1);
  });

  it('buys half of a file in which each line stands twice, also as native batches', async () => {
    pools = await startPools([]);
    const provider = await startOpenAIBatchServer({ job_ms: 0 });
    try {
      const openai = { kind: 'openai', base_url: provider.baseUrl, api_key: 'sk-1', models: ['gpt-4o-mini'] };
      const route = { provider: 'openai', model: 'gpt-4o-mini', cache: { mode: 'simple' } };
      weir = await startWeir({
        providers: { openai },
        routes: { kept: route },
        settings: { poll_seconds_min: 1 },
      });
      const once = await realInput();
      const input = once + once.replaceAll('"custom_id": "', '"custom_id": "again-');
      const lines = once.trimEnd().split('\n');
      const different = new Set(lines.map((line) => JSON.stringify((JSON.parse(line) as { body: object }).body))).size;
      const batch = await submit(weir, input, { config: 'kept', window: '24h' });
      const ended = await waitForBatch(weir, batch.id, { seconds: 60 });
      expect(ended.request_counts).toEqual({ total: 2 * lines.length, completed: 2 * lines.length, failed: 0 });
      expect(provider.counters.lines_run).toBe(different);
      const books = await assertInvariants(weir, batch.id, input);
      const paid = books.entries.filter(({ amount_nano_usd: amount }) => amount !== 0);
      expect(paid).toHaveLength(different);
      const answers = books.lines.map(
        ({ response }) => (response?.body as { choices?: object[] } | undefined)?.choices,
      );
      expect(answers.slice(lines.length)).toEqual(answers.slice(0, lines.length));
      // What each saved is the batch's price of the one that was bought.
      const [first, twin] = [books.entries.find(({ line }) => line === 1), lines.length + 1];
      const saved = books.entries.find(({ line }) => line === twin);
      expect([saved?.amount_nano_usd, saved?.list_amount_nano_usd]).toEqual([0, first?.amount_nano_usd]);
    } finally {
      await provider.stop();
    }
  }, 90_000);

  it('gives answers again that came from a provider batch', async () => {
    pools = await startPools([]);
    const provider = await startOpenAIBatchServer({ job_ms: 0 });
    try {
      const openai = { kind: 'openai', base_url: provider.baseUrl, api_key: 'sk-1', models: ['gpt-4.1-mini'] };
      const route = { provider: 'openai', model: 'gpt-4.1-mini', cache: { mode: 'simple' } };
      const settings = { poll_seconds_min: 1 };
      weir = await startWeir({ providers: { openai }, routes: { kept: route }, settings });
      const input = chatLines(4, (index) => ({ ...ask(`Question ${index}`), max_tokens: 64 }));
      const batch = await submit(weir, input, { config: 'kept', window: '24h' });
      await waitForBatch(weir, batch.id);
      expect(provider.counters).toMatchObject({ batches_created: 1, lines_run: 4 });
      const { data, response } = await weir.client.chat.completions
        .create(ask('Question 2', { max_tokens: 64 }))
        .withResponse();
      expect(response.headers.get('x-weir-cache')).toBe('hit');
      expect(data.choices[0]?.message.content).not.toBe('');
      const { entries: bought } = await assertInvariants(weir, batch.id, input);
      const hit = (await entries()).at(-1);
      expect([hit?.amount_nano_usd, hit?.batch_id]).toEqual([0, null]);
      // What it avoids is the price in real time, not the batch's.
      expect(hit?.list_amount_nano_usd).toBe(bought.find(({ line }) => line === 3)?.list_amount_nano_usd);
    } finally {
      await provider.stop();
    }
  });
});
