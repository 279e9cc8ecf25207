import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SimulatedAnthropic, startAnthropicServer } from '../../providers/sandbox/servers/anthropic.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../providers/sandbox/servers/openai-batch.ts';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { Estimate } from '../../src/protocol/estimate.ts';
import { ADMIN_KEY, chatLines, type Pools, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const MODEL = 'gpt-4o-mini';
const BEDROCK_MODEL = 'mistral.mistral-large-3-675b-instruct';
const chat = '/v1/chat/completions';

describe('POST /v1/batches/estimate', () => {
  let remote: SimulatedBatchServer;
  let anthropic: SimulatedAnthropic;
  let pools: Pools;
  let weir: Weir;

  const target = (provider: string, weight: number, more: object = {}) => ({
    provider,
    model: MODEL,
    weight,
    ...more,
  });

  beforeEach(async () => {
    remote = await startOpenAIBatchServer();
    anthropic = await startAnthropicServer({ api_key: 'sk-ant' });
    pools = await startPools([{ models: [MODEL] }, { models: [MODEL] }]);
    const pool = (index: number, extra: object = {}) => {
      const base_urls = [pools.servers[index]?.baseUrl];
      return { kind: 'vllm', base_urls, models: [MODEL], price: { input: 0.1, output: 0.4 }, ...extra };
    };
    weir = await startWeir({
      providers: {
        openai: { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: [MODEL] },
        anthropic: {
          kind: 'anthropic',
          base_url: anthropic.url,
          api_key: 'sk-ant',
          models: ['claude-haiku-4-5'],
        },
        // Nobody listens there: an estimate asks nobody.
        bedrock: {
          kind: 'bedrock',
          region: 'us-east-1',
          access_key_id: 'AKIATEST',
          secret_access_key: 'secret',
          role_arn: 'arn:aws:iam::123456789012:role/weir-batch',
          bucket: 'weir-batch',
          models: [BEDROCK_MODEL],
          base_url: 'http://127.0.0.1:1',
        },
        pool: pool(0),
        slow: pool(0, { limits: { requests_per_minute: 60 } }),
        free: pool(1, { price: undefined }),
      },
      routes: {
        both: { strategy: { mode: 'loadbalance' }, targets: [target('openai', 70), target('pool', 30)] },
        capacity: {
          strategy: { mode: 'loadbalance', by: 'capacity' },
          targets: [target('pool', 75), target('free', 25)],
        },
        aws: { provider: 'bedrock', model: BEDROCK_MODEL },
        'aws-batch': { provider: 'bedrock', model: BEDROCK_MODEL, mode: 'batch' },
        claude: { provider: 'anthropic', model: 'claude-haiku-4-5' },
      },
      settings: { poll_seconds_min: 1 },
    });
  });

  afterEach(async () => {
    await weir.stop();
    await Promise.all([remote.stop(), anthropic.stop(), pools.stop()]);
  });

  async function upload(text: string): Promise<string> {
    return (await weir.client.files.create({ file: new File([text], 'in.jsonl'), purpose: 'batch' })).id;
  }

  async function estimate(text: string, extra: object = {}): Promise<Estimate> {
    const body = { input_file_id: await upload(text), endpoint: chat, completion_window: '24h', ...extra };
    return weir.call('/v1/batches/estimate', { method: 'POST', body: JSON.stringify(body) });
  }

  it('splits the lines as the batch then does, and prices each share in its mode', async () => {
    const input = chatLines(200);
    const found = await estimate(input, { config: 'both' });
    expect(found).toMatchObject({
      object: 'batch.estimate',
      method: 'o200k_base',
      requests: 200,
      sampled: null,
      errors: null,
      total: { requests: 200, refused_count: 0, unpriced_reason: null },
    });
    const shares = found.split.map(({ target, mode, requests }) => [target, mode, requests]);
    expect(shares).toEqual([
      [`openai/${MODEL}`, 'batch', 140],
      [`pool/${MODEL}`, 'immediate', 60],
    ]);
    const [native, pool] = found.split;
    expect(native?.output_tokens).toEqual({ low: 140 * 16, expected: 140 * 32, high: 140 * 64 });
    // Half the list price: 0.075 and 0.30 USD per million tokens.
    expect(native?.cost.high_nano_usd).toBe((native?.input_tokens ?? 0) * 75 + 140 * 64 * 300);
    expect(native?.cost.list_high_nano_usd).toBe((native?.cost.high_nano_usd ?? 0) * 2);
    expect(pool?.cost.expected_nano_usd).toBe((pool?.input_tokens ?? 0) * 100 + 60 * 32 * 400);
    expect(found.total.cost.low_nano_usd).toBe((native?.cost.low_nano_usd ?? 0) + (pool?.cost.low_nano_usd ?? 0));

    const batch = await submit(weir, input, { window: '24h', config: 'both' });
    const ended = (await waitForBatch(weir, batch.id)) as unknown as BatchObject;
    expect(ended.shards?.[0]?.request_counts.total).toBe(140);
    expect(pools.servers[0]?.counters.received).toBe(60);
    expect(ended.cost.amount_nano_usd).toBeLessThanOrEqual(found.total.cost.high_nano_usd ?? 0);
    // Kept at the start, to stand beside what it came to.
    expect(ended.cost.estimate).toEqual({
      input_tokens: found.total.input_tokens,
      output_tokens: found.total.output_tokens,
      low_nano_usd: found.total.cost.low_nano_usd,
      expected_nano_usd: found.total.cost.expected_nano_usd,
      high_nano_usd: found.total.cost.high_nano_usd,
      low_usd: found.total.cost.low_usd,
      expected_usd: found.total.cost.expected_usd,
      high_usd: found.total.cost.high_usd,
    });
  }, 40_000);

  it('writes nothing and sends nothing', async () => {
    await estimate(chatLines(20), { config: 'both' });
    expect((await weir.client.batches.list()).data).toEqual([]);
    expect(remote.counters).toMatchObject({ batches_created: 0, lines_run: 0 });
    expect(remote.held()).toEqual({ live: 0, files: 0 });
    expect(pools.servers[0]?.counters.received).toBe(0);
  });

  it('runs everything now in an immediate window, and tells the pace of limited providers', async () => {
    const before = Math.floor(Date.now() / 1000);
    const found = await estimate(chatLines(30), { config: { provider: 'slow' }, completion_window: 'immediate' });
    expect(found.split.map(({ mode, requests }) => [mode, requests])).toEqual([['immediate', 30]]);
    expect(found.expected_finish_at).toBeGreaterThanOrEqual(before + 30);
    expect(found.expected_finish_at).toBeLessThan(before + 60);
    const unlimited = await estimate(chatLines(30), { config: { provider: 'free' }, completion_window: 'immediate' });
    expect(unlimited.expected_finish_at).toBeNull();
    const native = await estimate(chatLines(30), { config: { provider: 'openai' } });
    expect(native.expected_finish_at).toBeGreaterThanOrEqual(before + 86_400);
  });

  it('tells the pace by the limits and the hours of targets too, those of one provider together', async () => {
    const limited = (requests: number) => ({ limits: { requests_per_minute: requests } });
    const hours = (from: number) => {
      const time = (hour: number) => `${String((new Date().getUTCHours() + hour) % 24).padStart(2, '0')}:00`;
      return { schedule: { windows: [{ from: time(from), to: time(from + 2) }] } };
    };
    const seconds = async (targets: object[], extra: object = {}) => {
      const config = { strategy: { mode: 'loadbalance', by: 'capacity' }, targets };
      const before = Math.floor(Date.now() / 1000);
      const found = await estimate(chatLines(60), { config, completion_window: 'immediate', ...extra });
      return { found, after: (found.expected_finish_at ?? Number.NaN) - before };
    };
    // Thirty lines each: at thirty a minute a minute, whichever of the two is the slow one.
    for (const rates of [
      [30, 600],
      [600, 30],
    ]) {
      const { after } = await seconds(rates.map((rate) => target('pool', 50, limited(rate))));
      expect(after).toBeGreaterThanOrEqual(60);
      expect(after).toBeLessThan(75);
    }
    // The provider's own limit, of both together, is slower than each of theirs.
    const both = await seconds([target('slow', 50, limited(600)), target('slow', 50, limited(600))]);
    expect(both.after).toBeGreaterThanOrEqual(60);
    expect(both.after).toBeLessThan(75);
    const late = await seconds([target('slow', 50, hours(3)), target('pool', 50, limited(600))], {
      completion_window: '12h',
    });
    expect(late.after).toBeGreaterThan(2 * 3_600);
    expect(late.after).toBeLessThan(3 * 3_600 + 60);
    const chosen = late.found.plans?.options.find(({ provider }) => provider === 'slow');
    expect(chosen?.expected_seconds).toBeGreaterThan(2 * 3_600);
    // Before it expires, its lines would only wait.
    const never = await seconds([target('pool', 50, hours(3)), target('free', 50)], { completion_window: '90m' });
    const warnings = never.found.split.map(({ provider, warnings: list }) => [provider, list]);
    const message = 'the hours of the target (schedule) do not begin before the window ends';
    expect(Object.fromEntries(warnings)).toEqual({ pool: [{ message, count: 30 }], free: [] });
    expect(late.found.split.flatMap(({ warnings: list }) => list)).toEqual([]);
  });

  it('finds the cheapest targets and modes within the window, and says why', async () => {
    const input = chatLines(200);
    // A batch at half the list price is dearer than neither: 0.075 and 0.30 against 0.10 and 0.40 USD a million tokens.
    const day = await estimate(input, { config: 'both' });
    const byOption = ({ plans }: Estimate) =>
      Object.fromEntries((plans?.options ?? []).map((each) => [`${each.target} ${each.mode}`, each]));
    const options = byOption(day);
    expect(Object.keys(options).sort()).toEqual([
      `openai/${MODEL} batch`,
      `openai/${MODEL} immediate`,
      `pool/${MODEL} immediate`,
    ]);
    expect(day.plans?.cheapest?.shares).toMatchObject([{ target: `openai/${MODEL}`, mode: 'batch', requests: 200 }]);
    const { expected_nano_usd: whole, saves_nano_usd: saves } = day.plans?.cheapest ?? {};
    const tokens = { in: day.total.input_tokens, out: day.total.output_tokens.expected };
    expect(whole).toBe(tokens.in * 75 + tokens.out * 300);
    expect(saves).toBe((day.total.cost.expected_nano_usd ?? 0) - (whole ?? 0));
    expect(options[`pool/${MODEL} immediate`]).toMatchObject({
      verdict: 'dearer',
      expected_nano_usd: tokens.in * 100 + tokens.out * 400,
      reason: expect.stringContaining('1.33 times the cheapest'),
    });
    expect(options[`openai/${MODEL} immediate`]?.reason).toContain('2 times the cheapest');
    // Sent so, it costs so: a route of the plan alone is estimated to the same.
    const alone = await estimate(input, { config: { provider: 'openai', model: MODEL } });
    expect(alone.total.cost.expected_nano_usd).toBe(whole);
    expect(alone.plans?.cheapest).toMatchObject({ expected_nano_usd: whole, saves_nano_usd: 0 });

    // No batch service answers within five minutes, and 60 requests a minute are 300: the rest goes where there is room.
    const targets = ['slow', 'openai', 'free'].map((provider) => ({ provider, model: MODEL }));
    const config = { strategy: { mode: 'fallback' }, targets };
    const soon = await estimate(chatLines(400), { config, completion_window: '5m' });
    expect(soon.plans?.cheapest?.shares.map((each) => [each.target, each.mode, each.requests])).toEqual([
      [`slow/${MODEL}`, 'immediate', 300],
      [`openai/${MODEL}`, 'immediate', 100],
    ]);
    expect(soon.plans?.reason).toContain('its limits do not let all lines through');
    expect(byOption(soon)[`free/${MODEL} immediate`]).toMatchObject({ verdict: 'unpriced', expected_nano_usd: null });
    const only = await estimate(chatLines(400), {
      config: { provider: 'slow', model: MODEL },
      completion_window: '5m',
    });
    expect(only.plans).toMatchObject({ cheapest: null, reason: expect.stringContaining('100 lines would be left') });
  });

  it('names the lines that a target refuses and the parameters it would lose', async () => {
    const input = chatLines(10, (index) => (index === 3 ? { n: 2 } : index === 4 ? { seed: 7 } : {}));
    const [share] = (await estimate(input, { config: 'claude' })).split;
    expect(share).toMatchObject({ target: 'anthropic/claude-haiku-4-5', requests: 10 });
    const noted = [
      ...(share?.lines_refused ?? []).map(({ param }) => param),
      ...(share?.warnings ?? []).map((w) => w.message),
    ];
    expect(share?.lines_refused[0]).toMatchObject({ line: 4, custom_id: 'request-3', param: 'n' });
    expect(noted.join(' ')).toContain('seed');
    expect(share?.input_tokens).toBeGreaterThan(0);
  });

  it('shows the lines that no target takes apart, at no cost', async () => {
    const found = await estimate(
      chatLines(4, (index) => (index === 2 ? { model: 'no-such-model' } : { model: `pool/${MODEL}` })),
    );
    const lost = found.split.find(({ target }) => target === null);
    expect(lost).toMatchObject({
      provider: null,
      mode: null,
      requests: 1,
      refused_count: 1,
      cost: { high_nano_usd: 0 },
    });
    expect(lost?.lines_refused).toMatchObject([{ line: 3, custom_id: 'request-2', code: 'model_not_found' }]);
    expect(found.total).toMatchObject({ requests: 4, refused_count: 1 });
  });

  it('sends lines that are too few for a provider batch singly', async () => {
    const few = await estimate(chatLines(99), { config: 'aws' });
    expect(few.split).toMatchObject([{ provider: 'bedrock', mode: 'immediate', requests: 99, refused_count: 0 }]);
    const enough = await estimate(chatLines(100), { config: 'aws' });
    expect(enough.split).toMatchObject([{ provider: 'bedrock', mode: 'batch', requests: 100, refused_count: 0 }]);
  });

  it('counts what only the batch service refuses as single requests', async () => {
    const parameters = { type: 'object', properties: {} };
    const tools = [{ type: 'function', function: { name: 'look', parameters } }];
    const input = chatLines(110, (index) => (index % 10 === 0 ? { tools } : {}));
    const found = await estimate(input, { config: 'aws' });
    expect(found.split).toMatchObject([
      { mode: 'batch', requests: 99, refused_count: 0 },
      { mode: 'immediate', requests: 11, refused_count: 0 },
    ]);
    const [strict] = (await estimate(input, { config: 'aws-batch' })).split;
    expect(strict).toMatchObject({ mode: 'batch', requests: 110, refused_count: 11 });
    expect(strict?.lines_refused[0]).toMatchObject({ line: 1, code: 'unsupported_in_batch' });
  });

  it('shares a queue by weight, and leaves what has no price out of the sum, with the reason', async () => {
    const found = await estimate(chatLines(40), { config: 'capacity', completion_window: 'immediate' });
    const shares = found.split.map(({ provider, requests }) => [provider, requests]).sort();
    expect(shares).toEqual([
      ['free', 10],
      ['pool', 30],
    ]);
    const free = found.split.find(({ provider }) => provider === 'free');
    expect(free).toMatchObject({ cost: { expected_usd: null }, unpriced_reason: `no_price: free/${MODEL}` });
    expect(found.total.unpriced_reason).toBe(free?.unpriced_reason);
    expect(found.total.cost.expected_nano_usd).toBeGreaterThan(0);
  });

  it('looks at a sample of a large file, and counts all of it', async () => {
    const found = await estimate(chatLines(50_001), { config: 'both' });
    expect(found.split.map(({ requests }) => requests).reduce((a, b) => a + b)).toBe(50_001);
    expect(found.split[0]?.requests).toBe(35_001);
    expect(found.sampled).toBeGreaterThan(16_000);
    expect(found.sampled).toBeLessThanOrEqual(20_002);
    expect(found.total.output_tokens.high).toBe(50_001 * 64);
  }, 40_000);

  it('answers the errors that would fail the batch, and nothing else', async () => {
    const found = await estimate(`${chatLines(2)}{"custom_id":"x"}\n`);
    expect(found).toMatchObject({ requests: 2, split: [], expected_finish_at: null });
    expect(found.errors?.data).toMatchObject([{ line: 3, code: 'missing_required_parameter' }]);
    const foreign = await estimate(chatLines(1), { endpoint: '/v1/embeddings' });
    expect(foreign.errors?.data[0]).toMatchObject({ code: 'invalid_url', line: 1 });
  });

  it.each([
    ['input_file_id', { input_file_id: 'file_none' }],
    ['completion_window', { completion_window: 'soon' }],
    ['endpoint', { endpoint: '/v1/none' }],
    ['config', { config: 'no-such-route' }],
    ['provider_options', { completion_window: 'immediate', provider_options: { openai: { a: 1 } } }],
  ])('refuses a wrong %s as a create does', async (param, change) => {
    const body = { input_file_id: await upload(chatLines(1)), endpoint: chat, completion_window: '24h', ...change };
    const response = await fetch(`${weir.url}/v1/batches/estimate`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { param } });
  });
});
