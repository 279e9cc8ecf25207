import { afterEach, describe, expect, it } from 'vitest';
import type { BatchRequest } from '../../src/protocol/batch-request.ts';
import { assertInvariants, type Books } from './invariants.ts';
import {
  chatModels,
  type NativeServices,
  poolModel,
  type ServiceName,
  startNativeServices,
} from './native-services.ts';
import { ADMIN_KEY, chatLines, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const SHORT = 4;
/** The simulated answers have some dozen tokens. */
const ENOUGH = 64;
const LINES = 6;
/** Nothing that the services answer fits it. */
const SUM = {
  type: 'object',
  properties: { sum: { anyOf: [{ type: 'integer' }, { enum: ['none'] }] } },
  required: ['sum'],
  additionalProperties: false,
};

describe('answers of native services that do not serve', () => {
  let services: NativeServices;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await services?.stop();
  });

  async function start(): Promise<void> {
    services = await startNativeServices({ jobMs: 100 });
    weir = await startWeir({ providers: services.providers, settings: { poll_seconds_min: 1, cancel_seconds: 2 } });
  }

  const target = (provider: ServiceName, mode: 'batch' | 'immediate') => ({
    ...{ provider, model: chatModels[provider], mode },
  });
  const pool = { provider: 'pool', model: poolModel, mode: 'immediate' };

  const waitUntil = (check: () => Promise<boolean>) => expect.poll(check, { timeout: 30_000 }).toBe(true);

  async function outputOf(id: string, query = ''): Promise<string[]> {
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const response = await fetch(`${weir.url}/v1/batches/${id}/output${query}`, { headers });
    return (await response.text()).trimEnd().split('\n');
  }

  async function run(input: string, config: object, window = '24h'): Promise<Books> {
    const { id } = await submit(weir, input, { config, window });
    await waitForBatch(weir, id, { seconds: 60 });
    return assertInvariants(weir, id, input);
  }

  const tries = ({ entries }: Books) =>
    new Set(entries.map(({ provider, mode, status, error_code: code }) => [provider, mode, status, code].join(' ')));
  const isPaid = ({ entries }: Books) => entries.every(({ amount_nano_usd: amount }) => Number(amount) > 0);

  it('cut off in one provider batch: the next one is asked with a larger limit, and its results say so', async () => {
    await start();
    const policy = { action: 'retry', max_tokens_factor: ENOUGH / SHORT, to: 'next' };
    const targets = [target('anthropic', 'batch'), target('vertex', 'batch')];
    const route = { strategy: { mode: 'fallback' }, on_truncation: policy, targets };
    services.servers.vertex.configure({ hold_before: 'JOB_STATE_SUCCEEDED' });
    const input = chatLines(LINES, (index) => ({ max_tokens: index < 2 ? SHORT : 512 }));
    const { id } = await submit(weir, input, { config: route, window: '24h' });
    const followed = outputOf(id, '?follow=true');
    await waitUntil(async () => services.created().vertex === 1);
    // What waits for its second answer has paid for the first.
    const { data } = await weir.call<{ data: BatchRequest[] }>(`/v1/batches/${id}/requests?status=pending`);
    expect(data.map(({ line, attempts }) => [line, attempts])).toEqual([
      [1, 1],
      [2, 1],
    ]);
    expect(data.every(({ cost_nano_usd: cost }) => Number(cost) > 0)).toBe(true);
    services.hold(false);
    await waitForBatch(weir, id, { seconds: 60 });
    const books = await assertInvariants(weir, id, input);
    expect(books.output).toHaveLength(LINES);
    expect(books.lines.map(({ weir: { provider, finish_reason: end } }) => [provider, end])).toEqual([
      ...Array.from({ length: 2 }, () => ['vertex', 'stop']),
      ...Array.from({ length: 4 }, () => ['anthropic', 'stop']),
    ]);
    expect(books.lines[0]!.weir.warnings.join()).toContain('answer_truncated: an answer of anthropic/');
    expect(books.lines[0]!.weir.attempts).toBe(2);
    expect([...tries(books)].toSorted()).toEqual([
      'anthropic batch succeeded ',
      'anthropic batch superseded answer_truncated',
      'vertex batch succeeded ',
    ]);
    expect(books.entries).toHaveLength(LINES + 2);
    expect(isPaid(books)).toBe(true);
    // Whoever listened meanwhile heard the same of every line.
    expect((await followed).toSorted()).toEqual((await outputOf(id)).toSorted());
  }, 90_000);

  it('cut off in a provider batch whose service takes no larger limit: asked for no more than before, one by one', async () => {
    await start();
    services.servers.openai.configure({ line_faults: [{ contains: `"max_tokens":${ENOUGH}`, status: 400 }] });
    const rule = { action: 'retry', max_tokens_factor: ENOUGH / SHORT, to: 'next', otherwise: 'accept' };
    const targets = [target('anthropic', 'batch'), target('openai', 'batch'), pool];
    const route = { strategy: { mode: 'fallback', on_status_codes: [503] }, on_truncation: rule, targets };
    const books = await run(
      chatLines(2, () => ({ max_tokens: SHORT })),
      route,
    );
    expect(books.output).toHaveLength(2);
    expect(books.lines.map(({ weir: { provider } }) => provider)).toEqual(['pool', 'pool']);
    expect(tries(books)).toContain('openai batch failed invalid_request');
  }, 90_000);

  it.each(['anthropic', 'vertex', 'bedrock'] as const)(
    'of the responses endpoint at %s, cut off or without the JSON that was asked for: tried again, each try paid for once',
    async (provider) => {
      await start();
      services.servers.bedrock.configure({ finish: 'length' });
      const format = { type: 'json_schema', name: 'sum', schema: { $ref: '#/$defs/sum', $defs: { sum: SUM } } };
      const line = (index: number) => ({
        ...{ custom_id: `request-${index}`, method: 'POST', url: '/v1/responses' },
        body: {
          ...{ model: 'gpt-4o-mini', input: `Question ${index}?` },
          ...(index < 3 ? { max_output_tokens: 2 * SHORT } : { max_output_tokens: 512, text: { format } }),
        },
      });
      const count = provider === 'bedrock' ? 3 : 5;
      const input = `${Array.from({ length: count }, (_, index) => JSON.stringify(line(index))).join('\n')}\n`;
      const rule = { action: 'retry', max_tokens_factor: 16 };
      const route = { ...target(provider, 'immediate'), on_truncation: rule, on_invalid_json: { action: 'retry' } };
      const { id } = await submit(weir, input, { config: route, endpoint: '/v1/responses' });
      await waitForBatch(weir, id);
      const books = await assertInvariants(weir, id, input);
      const codes = books.lines.map(({ error }) => error?.code ?? null);
      const whole = provider === 'bedrock' ? 'answer_truncated' : null;
      expect(codes).toEqual([whole, whole, whole, 'answer_invalid_json', 'answer_invalid_json'].slice(0, count));
      expect([books.entries.length, isPaid(books)]).toEqual([2 * count, true]);
    },
    90_000,
  );

  it.each([
    ['anthropic', 'batch'],
    ['anthropic', 'immediate'],
    ['vertex', 'batch'],
    ['vertex', 'immediate'],
    ['bedrock', 'batch'],
    ['bedrock', 'immediate'],
  ] as const)(
    'refused at %s (%s): sent on, the refusal paid for once; or failed with it',
    async (provider, mode) => {
      await start();
      services.servers.anthropic.configure({ stop_reason: 'refusal' });
      services.servers.vertex.configure({ finish: 'SAFETY' });
      services.servers.bedrock.configure({ finish: 'content_filter', records_min: 1 });
      const count = provider === 'bedrock' && mode === 'batch' ? 100 : LINES;
      const window = mode === 'batch' ? '24h' : 'immediate';
      const targets = [target(provider, mode), pool];
      const healed = await run(
        chatLines(count),
        { strategy: { mode: 'fallback' }, on_refusal: 'retry', targets },
        window,
      );
      expect(healed.output).toHaveLength(count);
      expect(tries(healed)).toEqual(
        new Set([`${provider} ${mode} superseded answer_refused`, 'pool immediate succeeded ']),
      );
      expect([healed.entries.length, isPaid(healed)]).toEqual([2 * count, true]);
      const failed = await run(chatLines(count), { ...targets[0], on_refusal: 'fail' }, window);
      expect(failed.errors).toHaveLength(count);
      expect(failed.errors[0]).toMatchObject({ error: { code: 'answer_refused' }, response: { status_code: 200 } });
      expect([failed.entries.length, isPaid(failed)]).toEqual([count, true]);
    },
    90_000,
  );
});
