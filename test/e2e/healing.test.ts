import type OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../providers/sandbox/servers/openai-batch.ts';
import type { BudgetObject } from '../../src/protocol/budget.ts';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { assertInvariants, type Books } from './invariants.ts';
import { ADMIN_KEY, chatLines, type Pools, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

/** `count` times the same. */
const repeated = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

const SHORT = 4;
/** The simulated answers have some dozen tokens: so many limits of SHORT, doubled, hold them. */
const ENOUGH = 64;

describe('answers that do not serve', () => {
  let pools: Pools;
  let remote: SimulatedBatchServer | undefined;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
    await remote?.stop();
    remote = undefined;
  });

  const targets = ['pool-a', 'pool-b'].map((provider) => ({ provider, model: 'gpt-4o-mini' }));

  async function start(
    servers: Parameters<typeof startPools>[0],
    providers: object = {},
    more: object = {},
  ): Promise<void> {
    pools = await startPools(servers.map((server) => ({ models: ['gpt-4o-mini'], log_size: 1_000, ...server })));
    const own = pools.servers.map(({ baseUrl }, index) => [
      `pool-${'ab'[index]}`,
      { kind: 'vllm', base_urls: [baseUrl], models: ['gpt-4o-mini'], price: { input: 0.15, output: 0.6 } },
    ]);
    const settings = { poll_seconds_min: 1, ...more };
    weir = await startWeir({ providers: { ...Object.fromEntries(own), ...providers }, settings });
  }

  async function run(input: string, config: object, window = 'immediate'): Promise<Books> {
    const { id } = await submit(weir, input, { config, window });
    await waitForBatch(weir, id, { seconds: 60 });
    return assertInvariants(weir, id, input);
  }

  const paid = (books: Books) => books.entries.every((entry) => Number(entry.amount_nano_usd) > 0);
  const received = () => pools.servers.map(({ counters }) => counters.received);

  it('cut off: tried again with a larger limit until they are whole, each try paid for and shown', async () => {
    await start([{}]);
    const input = chatLines(30, (index) => ({ max_tokens: index % 3 === 0 ? SHORT : 512 }));
    const policy = { action: 'retry', max_tokens_factor: 16, attempts: 2 };
    const books = await run(input, { ...targets[0], on_truncation: policy });
    expect(books.output).toHaveLength(30);
    expect(books.lines.every(({ weir: { finish_reason: end } }) => end === 'stop')).toBe(true);
    const cut = books.entries.filter(({ status }) => status === 'superseded');
    expect(new Set(cut.map(({ line }) => line)).size).toBe(10);
    expect(cut.every(({ error_code: code }) => code === 'answer_truncated')).toBe(true);
    expect(paid(books)).toBe(true);
    expect(books.entries).toHaveLength(received()[0]!);
    const healed = books.lines[0]!.weir;
    expect(healed.attempts).toBeGreaterThan(1);
    expect(healed.warnings.join()).toContain('on_truncation: an answer of pool-a/gpt-4o-mini was not taken');
    expect(books.lines[1]!.weir).toMatchObject({ attempts: 1, warnings: [] });
  });

  it('cut off at every try: failed with the answer kept, or taken as they are, as the route says', async () => {
    await start([{}]);
    const input = chatLines(6, () => ({ max_tokens: 1 }));
    const failed = await run(input, { ...targets[0], on_truncation: 'retry' });
    expect(failed.errors).toHaveLength(6);
    expect(failed.errors[0]).toMatchObject({
      error: { code: 'answer_truncated', message: expect.stringContaining('1 retry') },
      response: { status_code: 200, body: { choices: [{ finish_reason: 'length' }] } },
    });
    expect(failed.entries.map(({ status }) => status).toSorted()).toEqual([
      ...repeated(6, 'failed'),
      ...repeated(6, 'superseded'),
    ]);
    expect(paid(failed)).toBe(true);
    // Its tokens are shown beside what they cost, and are none of the batch's usage, which is that of successes.
    expect(failed.lines.every(({ weir: { output_tokens: output } }) => output > 0)).toBe(true);
    expect(failed.batch.usage?.total_tokens ?? 0).toBe(0);
    const taken = await run(input, { ...targets[0], on_truncation: { action: 'retry', otherwise: 'accept' } });
    expect(taken.output).toHaveLength(6);
    expect(taken.lines[0]!.weir.warnings.at(-1)).toContain('taken as it is');
    const atOnce = await run(input, { ...targets[0], on_truncation: 'fail' });
    expect([atOnce.errors.length, atOnce.entries.length]).toEqual([6, 6]);
  });

  it('refused: sent to the next target', async () => {
    await start([{ rate_content_filter: 1 }, {}]);
    const route = { strategy: { mode: 'fallback' }, targets, on_refusal: 'retry' };
    const books = await run(chatLines(20), route);
    expect(books.output).toHaveLength(20);
    expect(books.lines.every(({ weir: { provider, attempts } }) => provider === 'pool-b' && attempts === 2)).toBe(true);
    expect(received()).toEqual([20, 20]);
    expect(paid(books)).toBe(true);
  });

  it('no JSON by the request’s schema: failed, when no target gives it', async () => {
    await start([{}, {}]);
    const format = (property: string) => ({
      type: 'json_schema',
      json_schema: { name: 'x', schema: { type: 'object', required: [property] } },
    });
    const input = chatLines(10, (index) => ({
      max_tokens: 512,
      response_format: format(index % 2 === 0 ? 'answer' : 'total'),
    }));
    const rule = { action: 'retry', to: 'next' };
    const books = await run(input, { strategy: { mode: 'fallback' }, targets, on_invalid_json: rule });
    expect([books.output.length, books.errors.length]).toEqual([5, 5]);
    expect(books.errors.every(({ error }) => error?.code === 'answer_invalid_json')).toBe(true);
    expect(received()).toEqual([10, 5]);
  });

  it('with one alternative of two cut off, or not by the schema: the whole is tried again, and each try paid for once', async () => {
    await start([{}, { seed: 2 }]);
    const ofBoth = (line: { response: { body: unknown } | null }) =>
      (line.response!.body as unknown as OpenAI.ChatCompletion).choices;
    const alternatives = chatLines(60, () => ({ n: 2, max_tokens: 24 }));
    const rule = { action: 'retry', max_tokens_factor: 16, attempts: 2 };
    const cut = await run(alternatives, { ...targets[0], on_truncation: rule });
    expect(cut.output.map(ofBoth).flatMap((choices) => choices.map(({ finish_reason: end }) => end))).toEqual(
      repeated(120, 'stop'),
    );
    const superseded = cut.entries.filter(({ status }) => status === 'superseded');
    expect(cut.entries).toHaveLength(60 + superseded.length);
    expect(received()).toEqual([cut.entries.length, 0]);
    // The server counts by the first alternative: of some the second one alone was cut off.
    const byFirst = pools.servers[0]!.counters.by_finish_reason.get('length') ?? 0;
    expect(byFirst).toBeGreaterThan(0);
    expect(superseded.length).toBeGreaterThan(byFirst);
    expect(paid(cut)).toBe(true);

    pools.servers[0]!.reset();
    const wanted = '^[A-M]';
    const schema = {
      type: 'object',
      required: ['answer'],
      properties: { answer: { type: 'string', pattern: wanted } },
    };
    const response_format = { type: 'json_schema', json_schema: { name: 'x', schema } };
    const formed = chatLines(80, () => ({ n: 2, max_tokens: 512, response_format }));
    const route = { strategy: { mode: 'fallback' }, targets, on_invalid_json: { action: 'retry', to: 'next' } };
    const books = await run(formed, route);
    const fits = (line: Parameters<typeof ofBoth>[0]) =>
      ofBoth(line).map(({ message }) =>
        new RegExp(wanted).test((JSON.parse(message.content!) as { answer: string }).answer),
      );
    expect(books.output.every((line) => fits(line).every(Boolean))).toBe(true);
    expect(books.errors.some((line) => fits(line).join() === 'true,false')).toBe(true);
    expect(books.errors.every((line) => fits(line).includes(false))).toBe(true);
    expect(books.errors[0]?.error?.code).toBe('answer_invalid_json');
    expect(books.lines.some(({ weir: { provider }, error }) => error === null && provider === 'pool-b')).toBe(true);
    const again = books.entries.filter(({ status }) => status === 'superseded').length;
    expect(received()).toEqual([80, again]);
    expect(books.entries).toHaveLength(80 + again);
    expect(paid(books)).toBe(true);
  });

  it('cut off in a provider batch: tried again one by one, with a larger limit', async () => {
    remote = await startOpenAIBatchServer({ job_ms: 100 });
    const openai = { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] };
    await start([{}], { openai });
    const input = chatLines(12, (index) => ({ max_tokens: index < 4 ? SHORT : 512 }));
    const route = {
      strategy: { mode: 'fallback' },
      on_truncation: { action: 'retry', max_tokens_factor: ENOUGH / SHORT, attempts: 2, to: 'next' },
      targets: [{ provider: 'openai', model: 'gpt-4o-mini', mode: 'batch' }, targets[0]],
    };
    const books = await run(input, route, '24h');
    expect(books.output).toHaveLength(12);
    expect(books.lines.every(({ weir: { finish_reason: end } }) => end === 'stop')).toBe(true);
    expect(books.lines.map(({ weir: { provider } }) => provider)).toEqual([
      ...repeated(4, 'pool-a'),
      ...repeated(8, 'openai'),
    ]);
    const cut = books.entries.filter(({ mode, status }) => mode === 'batch' && status === 'superseded');
    expect(cut.map(({ error_code: code }) => code)).toEqual(repeated(4, 'answer_truncated'));
    // The limit was raised before the first call at the pool: the batch's answer was remembered.
    expect(books.entries.filter(({ mode }) => mode === 'immediate')).toHaveLength(received()[0]!);
    expect(books.lines[0]!.weir.warnings.join()).toContain('an answer of openai/gpt-4o-mini was not taken');
    expect(paid(books)).toBe(true);
  });

  it('cut off, where the target takes no larger limit: what was paid for is taken, or kept beside the failure', async () => {
    // The raised limit is beyond the model's own: every retry is answered with 400.
    await start([{ poison: [{ contains: `"max_tokens":${ENOUGH}`, fail_with: 400 }] }]);
    const input = chatLines(6, () => ({ max_tokens: SHORT }));
    const policy = { action: 'retry', max_tokens_factor: ENOUGH / SHORT, attempts: 3 };
    const taken = await run(input, { ...targets[0], on_truncation: { ...policy, otherwise: 'accept' } });
    expect([taken.output.length, taken.entries.length, received()[0]]).toEqual([6, 12, 12]);
    expect(taken.entries.map(({ status, amount_nano_usd: amount }) => [status, Number(amount) > 0]).toSorted()).toEqual(
      [...repeated(6, ['failed', false]), ...repeated(6, ['superseded', true])],
    );
    expect(taken.lines[0]!.weir).toMatchObject({ finish_reason: 'length', attempts: 2 });
    expect(taken.lines[0]!.weir.warnings.join()).toMatch(/a retry failed: .*taken as it is/);
    const failed = await run(input, { ...targets[0], on_truncation: policy });
    expect(failed.errors[0]).toMatchObject({
      error: { code: 'answer_truncated' },
      response: { status_code: 200, body: { choices: [{ finish_reason: 'length' }] } },
    });
    const call = (otherwise: string) =>
      weir.client.chat.completions.create(
        {
          ...{ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Tell a story.' }], max_tokens: SHORT },
          config: { ...targets[0], on_truncation: { ...policy, otherwise } },
        } as never,
        { maxRetries: 0 },
      ) as Promise<OpenAI.ChatCompletion>;
    expect((await call('accept')).choices[0]?.finish_reason).toBe('length');
    await expect(call('fail')).rejects.toMatchObject({ status: 502, code: 'answer_truncated' });
  });

  it('cut off in a provider batch, where the next target takes no larger limit: it is asked for no more than before', async () => {
    remote = await startOpenAIBatchServer({ job_ms: 100 });
    const openai = { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] };
    await start([{ poison: [{ contains: `"max_tokens":${ENOUGH}`, fail_with: 400 }] }], { openai });
    const input = chatLines(4, () => ({ max_tokens: SHORT }));
    const rule = { action: 'retry', max_tokens_factor: ENOUGH / SHORT, to: 'next', otherwise: 'accept' };
    const route = {
      strategy: { mode: 'fallback' },
      on_truncation: rule,
      targets: [{ provider: 'openai', model: 'gpt-4o-mini', mode: 'batch' }, targets[0]],
    };
    const books = await run(input, route, '24h');
    expect(books.output).toHaveLength(4);
    expect(books.lines.every(({ weir: { provider, attempts } }) => provider === 'pool-a' && attempts === 3)).toBe(true);
    expect(received()).toEqual([8]);
  });

  it('cut off, and tried again where nobody answers until the batch is cancelled: the answer that is there counts', async () => {
    await start([{}, { rate_hang: 1 }], {}, { drain_seconds: 1 });
    const input = chatLines(24, () => ({ max_tokens: SHORT }));
    const rule = { action: 'retry', to: 'next', otherwise: 'accept' };
    const limits = { requests_per_minute: 6 };
    const route = {
      strategy: { mode: 'fallback' },
      on_truncation: rule,
      targets: [targets[0], { ...targets[1], limits }],
    };
    const { id } = await submit(weir, input, { config: route });
    await waitForBatch(weir, id, { until: () => received()[0] === 24 && received()[1]! > 0 });
    await weir.client.batches.cancel(id);
    await waitForBatch(weir, id);
    const books = await assertInvariants(weir, id, input);
    expect([books.batch.status, books.output.length]).toEqual(['cancelled', 24]);
    expect(books.lines[0]!.weir).toMatchObject({ provider: 'pool-a', finish_reason: 'length' });
    expect(books.lines[0]!.weir.warnings.at(-1)).toContain('taken as it is');
    const statuses = books.entries.map(({ status }) => status);
    expect(statuses.filter((status) => status === 'superseded')).toHaveLength(24);
    expect(statuses.filter((status) => status === 'unknown')).toHaveLength(received()[1]!);
    // Some stood in line for the second answer and were not sent.
    expect(received()[1]!).toBeLessThan(24);
  });

  describe('of synchronous calls', () => {
    const ask = (config: object, more: object = {}) =>
      weir.client.chat.completions
        .create(
          { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Tell a story.' }], config, ...more } as never,
          { maxRetries: 1 },
        )
        .withResponse();
    const entries = async () => {
      const { data } = await weir.call<{ data: LedgerEntryObject[] }>('/v1/ledger/entries?limit=100&order=asc');
      return data.map(({ status, error_code: code, attempt, provider }) => [status, code, attempt, provider]);
    };

    it('are tried again with a larger limit or at the next target, each try in the ledger; streams are not', async () => {
      await start([{ rate_content_filter: 0 }, {}]);
      const policy = { action: 'retry', max_tokens_factor: 16, attempts: 2 };
      const healed = await ask({ ...targets[0], on_truncation: policy }, { max_tokens: SHORT });
      expect((healed.data as OpenAI.ChatCompletion).choices[0]?.finish_reason).toBe('stop');
      expect(healed.response.headers.get('x-weir-warnings')).toContain('on_truncation: an answer of pool-a');
      const tries = await entries();
      expect(tries[0]).toEqual(['superseded', 'answer_truncated', 1, 'pool-a']);
      expect(tries.at(-1)).toEqual(['succeeded', null, tries.length, 'pool-a']);
      expect(healed.response.headers.get('x-weir-attempts')).toBe(String(tries.length));

      pools.servers[0]?.configure({ rate_content_filter: 1 });
      const route = { strategy: { mode: 'fallback' }, targets, on_refusal: 'retry' };
      const moved = await ask(route);
      expect(moved.response.headers.get('x-weir-provider')).toBe('pool-b');
      expect((await entries()).slice(tries.length)).toEqual([
        ['superseded', 'answer_refused', 1, 'pool-a'],
        ['succeeded', null, 2, 'pool-b'],
      ]);
      expect(received()).toEqual([tries.length + 1, 1]);

      const streamed = await ask(route, { stream: true });
      let end: string | null | undefined;
      for await (const chunk of streamed.data as unknown as AsyncIterable<OpenAI.ChatCompletionChunk>)
        end = chunk.choices[0]?.finish_reason ?? end;
      expect(end).toBe('content_filter');
      expect(received()).toEqual([tries.length + 2, 1]);
    });

    it('are not tried again where their budgets have no room for the retry, and hold what it may come to where they do', async () => {
      await start([{}]);
      const { id } = await weir.call<{ id: string }>('/v1/budgets', {
        method: 'POST',
        body: JSON.stringify({ limit_nano_usd: 30_000, period: 'total' }),
      });
      const on_truncation = { action: 'retry', max_tokens_factor: ENOUGH / SHORT, otherwise: 'accept' };
      const route = { ...targets[0], on_truncation };
      const { data: cut, response } = await ask(route, { max_tokens: SHORT });
      expect(cut.choices[0]?.finish_reason).toBe('length');
      expect(response.headers.get('x-weir-warnings')).toContain('no retry was made: This request may cost');
      expect(await entries()).toEqual([['succeeded', null, 1, 'pool-a']]);
      // Both tries fit.
      const raised = { method: 'POST', body: JSON.stringify({ limit_nano_usd: 70_000 }) };
      await weir.call(`/v1/budgets/${id}`, raised);
      expect((await ask(route, { max_tokens: SHORT })).data.choices[0]?.finish_reason).toBe('stop');
      expect(received()).toEqual([3]);
      const usageOf = async () => (await weir.call<BudgetObject>(`/v1/budgets/${id}`)).usage;
      await expect.poll(async () => (await usageOf()).held_nano_usd).toBe(0);
      const { total } = await weir.call<{ total: { amount_nano_usd: number } }>('/v1/ledger/summary');
      expect((await usageOf()).spent_nano_usd).toBe(total.amount_nano_usd);
    });

    it('fail with the answer beside the error, once, or are taken with a warning, as the route says', async () => {
      await start([{}]);
      const failure = await ask({ ...targets[0], on_truncation: 'retry' }, { max_tokens: 1 }).catch(
        (error: unknown) => error as InstanceType<typeof OpenAI.APIError>,
      );
      expect(failure).toMatchObject({ status: 502, code: 'answer_truncated', type: 'invalid_answer' });
      expect(received()).toEqual([2]);
      const raw = await fetch(`${weir.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          ...{ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Tell a story.' }], max_tokens: 1 },
          config: { ...targets[0], on_truncation: 'fail' },
        }),
      });
      expect(raw.headers.get('x-should-retry')).toBe('false');
      expect(await raw.json()).toMatchObject({
        error: { code: 'answer_truncated' },
        answer: { choices: [{ finish_reason: 'length' }] },
      });
      const rule = { action: 'retry', otherwise: 'accept' };
      const taken = await ask({ ...targets[0], on_truncation: rule }, { max_tokens: 1 });
      expect(taken.response.headers.get('x-weir-warnings')).toContain('taken as it is');
      expect((await entries()).map(([status]) => status)).toEqual([
        ...['superseded', 'failed'],
        'failed',
        ...['superseded', 'succeeded'],
      ]);
    });
  });
});
