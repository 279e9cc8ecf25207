import type OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { type Pools, startPools, startWeir, type Weir } from './weir.ts';

const PRICE = { input: 0.15, output: 0.6 };
const MESSAGES = [{ role: 'user' as const, content: 'What is 2 + 2?' }];

describe('synchronous calls', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  async function open(servers: Parameters<typeof startPools>[0], extra: Record<string, unknown> = {}): Promise<void> {
    pools = await startPools(servers.map((server) => ({ models: ['m'], log_size: 100, ...server })));
    const providers = pools.servers.map(({ baseUrl }, index) => [
      `p${index}`,
      { kind: 'vllm', base_urls: [baseUrl], models: [`m${index}`, 'm'], price: PRICE, limits: { concurrency: 32 } },
    ]);
    weir = await startWeir({ providers: Object.fromEntries(providers), ...extra });
  }

  async function entries(): Promise<LedgerEntryObject[]> {
    const page = await weir.call<{ data: LedgerEntryObject[] }>('/v1/ledger/entries?limit=100&order=asc');
    return page.data;
  }

  const received = (): number[] => pools.servers.map((server) => server.counters.received);

  it('answer every endpoint as the provider does, with who answered and what it cost', async () => {
    await open([{}]);
    const { client } = weir;
    const { data, response } = await client.chat.completions
      .create({ model: 'p0/m', messages: MESSAGES, metadata: { team: 'blue' } })
      .withResponse();
    expect(data.choices[0]?.message.content).toBeTruthy();
    await client.completions.create({ model: 'p0/m', prompt: 'Two and two is' });
    await client.embeddings.create({ model: 'p0/m', input: 'four' });
    await client.responses.create({ model: 'p0/m', input: 'What is 2 + 2?' });
    await client.moderations.create({ model: 'p0/m', input: 'four' });

    const list = await entries();
    expect(list.map(({ mode, status, provider, attempt }) => [mode, status, provider, attempt])).toEqual(
      Array.from({ length: 5 }, () => ['sync', 'succeeded', 'p0', 1]),
    );
    expect(list[0]).toMatchObject({ batch_id: null, tags: { team: 'blue' } });
    expect(list[0]?.custom_id).toBe(response.headers.get('x-request-id'));
    expect(response.headers.get('x-weir-provider')).toBe('p0');
    expect(response.headers.get('x-weir-cost-nano-usd')).toBe(String(list[0]?.amount_nano_usd));
    expect(list[0]?.amount_nano_usd).toBe(
      (data.usage?.prompt_tokens ?? 0) * 150 + (data.usage?.completion_tokens ?? 0) * 600,
    );
  });

  it('stream what the provider streams, and account for usage that the client did not ask for', async () => {
    await open([{}]);
    const texts: string[] = [];
    let usages = 0;
    const stream = await weir.client.chat.completions.create({ model: 'p0/m', messages: MESSAGES, stream: true });
    for await (const chunk of stream) {
      texts.push(chunk.choices[0]?.delta.content ?? '');
      if (chunk.usage) usages += 1;
      expect(chunk.choices).toHaveLength(1);
    }
    expect(texts.join('')).not.toBe('');
    expect(usages).toBe(0);
    const [silent] = await entries();
    expect(silent).toMatchObject({ status: 'succeeded', estimated: false, unpriced_reason: null });
    expect(silent?.usage).toMatchObject({ output_tokens: pools.servers[0]?.counters.tokens_out });

    const asked = await weir.client.chat.completions.create({
      model: 'p0/m',
      messages: MESSAGES,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of asked) if (chunk.usage) usages += 1;
    expect(usages).toBe(1);

    const events: string[] = [];
    const response = await weir.client.responses.create({ model: 'p0/m', input: 'Hello', stream: true });
    for await (const event of response) events.push(event.type);
    expect(events.at(-1)).toBe('response.completed');
    expect((await entries()).map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'succeeded']);
  });

  it('go on to the next target before the first byte, with an entry for each attempt', async () => {
    const routes = {
      safe: {
        strategy: { mode: 'fallback' },
        targets: [
          { provider: 'p0', model: 'm' },
          { provider: 'p1', model: 'm' },
        ],
        retry: { attempts: 1, on_status_codes: [500] },
      },
    };
    await open([{ rate_500: 1 }, {}], { routes });
    const { response } = await weir.client.chat.completions
      .create({ model: 'safe', messages: MESSAGES })
      .withResponse();
    expect(response.headers.get('x-weir-provider')).toBe('p1');
    const stream = await weir.client.chat.completions.create({ model: 'safe', messages: MESSAGES, stream: true });
    for await (const chunk of stream) expect(chunk.object).toBe('chat.completion.chunk');
    expect(received()).toEqual([4, 2]);
    const list = await entries();
    const byCall = Map.groupBy(list, (entry) => entry.custom_id);
    expect(byCall.size).toBe(2);
    for (const attempts of byCall.values()) {
      const inOrder = attempts.toSorted((left, right) => left.attempt - right.attempt);
      expect(inOrder.map(({ provider, status, attempt }) => `${provider} ${status} ${attempt}`)).toEqual([
        'p0 failed 1',
        'p0 failed 2',
        'p1 succeeded 3',
      ]);
    }
    const summary = await weir.call<{ total: { entries: number; requests: number } }>('/v1/ledger/summary');
    expect(summary.total).toMatchObject({ entries: 6, requests: 2 });
  });

  it('divide by weight from call to call, and follow a changed route at once', async () => {
    await open([{}, {}]);
    const route = (first: number, second: number) => ({
      strategy: { mode: 'loadbalance' },
      targets: [
        { provider: 'p0', model: 'm', weight: first },
        { provider: 'p1', model: 'm', weight: second },
      ],
    });
    const put = (config: object) => weir.call('/v1/routes/mix', { method: 'PUT', body: JSON.stringify({ config }) });
    const send = (count: number) =>
      Promise.all(
        Array.from({ length: count }, () => weir.client.chat.completions.create({ model: 'mix', messages: MESSAGES })),
      );
    await put(route(3, 1));
    await send(20);
    expect(received()).toEqual([15, 5]);
    await put(route(0, 1));
    await send(4);
    expect(received()).toEqual([15, 9]);
    const inline = JSON.stringify({ provider: 'p0', model: 'm', override_params: { max_tokens: 3 } });
    const { data } = await weir.client.chat.completions
      .create({ model: 'anything', messages: MESSAGES }, { headers: { 'x-portkey-config': inline } })
      .withResponse();
    expect(received()).toEqual([16, 9]);
    expect(data.usage?.completion_tokens).toBeLessThanOrEqual(3);
    expect(JSON.parse(String(pools.servers[0]?.requests.at(-1)?.body))).toMatchObject({ model: 'm', max_tokens: 3 });
  });

  it('pass errors on in one shape: the request’s own, a limit with its wait, and trouble as trouble', async () => {
    const once = { retry: { attempts: 0 } };
    await open(
      [{ rate_429: 1, retry_after: 'seconds', retry_after_seconds: 7 }, { api_key: 'other' }, { rate_reset: 1 }],
      {
        routes: {
          full: { provider: 'p0', model: 'm', ...once },
          locked: { provider: 'p1', model: 'm', ...once },
          broken: { provider: 'p2', model: 'm', ...once },
        },
      },
    );
    const failure = async (model: string, extra: object = {}): Promise<InstanceType<typeof OpenAI.APIError>> =>
      weir.client.chat.completions.create({ model, messages: MESSAGES, ...extra }).then(
        () => {
          throw new Error('it was answered');
        },
        (error: InstanceType<typeof OpenAI.APIError>) => error,
      );
    expect(await failure('nobody')).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' });
    expect(await failure('full', { messages: undefined })).toMatchObject({ status: 400, param: 'messages' });
    expect(await failure('full', { stream: 'yes' })).toMatchObject({ status: 400, param: 'stream' });
    expect(await failure('full', { metadata: { team: 7 } })).toMatchObject({ status: 400, param: 'metadata.team' });
    expect(await failure('full', { base_url: 'http://169.254.169.254' })).toMatchObject({
      status: 400,
      param: 'base_url',
    });
    const limited = await failure('full');
    expect(limited).toMatchObject({ status: 429 });
    expect(Number(limited.headers?.get('retry-after'))).toBeGreaterThan(0);
    expect(await failure('locked')).toMatchObject({ status: 502 });
    expect(await failure('broken')).toMatchObject({ status: 502 });
    expect((await entries()).map(({ status, amount_nano_usd: amount }) => [status, amount])).toEqual([
      ['failed', 0],
      ['failed', 0],
      ['unknown', null],
    ]);
  });

  it('enter what was delivered when the provider breaks off or the client leaves', async () => {
    await open([{ rate_reset_mid_body: 1 }, { latency_ms: { base: 0, per_token: 5 } }]);
    const broken = await weir.client.chat.completions.create({ model: 'p0/m', messages: MESSAGES, stream: true });
    await expect(
      (async () => {
        for await (const chunk of broken) expect(chunk.choices).toHaveLength(1);
      })(),
    ).rejects.toThrow(/connection broke|broke off|terminated|no complete/i);
    const left = await weir.client.chat.completions.create({ model: 'p1/m', messages: MESSAGES, stream: true });
    for await (const chunk of left) if (chunk.choices[0]?.delta.content) break;
    await expect.poll(async () => (await entries()).length, { timeout: 5_000 }).toBe(2);
    const list = await entries();
    expect(list.map(({ status, estimated }) => [status, estimated])).toEqual([
      ['unknown', true],
      ['unknown', true],
    ]);
    expect(list[0]?.amount_nano_usd).toBeGreaterThan(0);
    expect(list[1]?.amount_nano_usd).toBeGreaterThan(0);
    expect(pools.servers[1]?.counters.client_aborts).toBe(1);
  });
});
