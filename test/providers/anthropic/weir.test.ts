import { afterEach, describe, expect, it } from 'vitest';
import type { SimulatedAnthropic } from '../../../providers/sandbox/servers/anthropic.ts';
import { startAnthropicServer } from '../../../providers/sandbox/servers/anthropic.ts';
import type { BatchObject } from '../../../src/protocol/batch.ts';
import { assertInvariants } from '../../e2e/invariants.ts';
import { startWeir, submit, type Weir, waitForBatch } from '../../e2e/weir.ts';

const model = 'claude-haiku-4-5';
const settings = { poll_seconds_min: 1, cancel_seconds: 2 };

/** Lines of many sorts: instructions, tools and their results, images, schemas, Unicode, other endpoints. */
function mixedLines(count: number): string {
  const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } }];
  const call = { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{}' } };
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } };
  const schema = { type: 'json_schema', json_schema: { name: 'n', strict: true, schema: { type: 'object' } } };
  const bodies = (text: string) => [
    {
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: text },
      ],
      max_tokens: 90,
    },
    { messages: [{ role: 'user', content: text }], tools, tool_choice: 'required', max_tokens: 90 },
    {
      messages: [
        { role: 'user', content: text },
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'tool', tool_call_id: 'c1', content: '7 °C \u2028' },
      ],
      tools,
    },
    { messages: [{ role: 'user', content: [{ type: 'text', text }, image] }], temperature: 0, seed: 7 },
    { messages: [{ role: 'user', content: text }], response_format: schema, max_completion_tokens: 90 },
    { messages: [{ role: 'user', content: text }], reasoning_effort: 'low', max_completion_tokens: 4000 },
  ];
  const line = (index: number) => {
    const sorts = bodies(`Question ${index}: où ça ? 🙂`);
    const body = { model, ...sorts[index % sorts.length] };
    return JSON.stringify({ custom_id: `ü-${index}`, method: 'POST', url: '/v1/chat/completions', body });
  };
  return `${Array.from({ length: count }, (_, index) => line(index)).join('\n')}\n`;
}

describe('Weir over Anthropic', () => {
  let remote: SimulatedAnthropic | undefined;
  let weir: Weir | undefined;

  afterEach(async () => {
    await weir?.stop();
    await remote?.stop();
    weir = undefined;
    remote = undefined;
  });

  async function start(options: Parameters<typeof startAnthropicServer>[0] = {}) {
    remote = await startAnthropicServer({ api_key: 'sk-test', ...options });
    const provider = { kind: 'anthropic', base_url: remote.url, api_key: 'sk-test', models: [model] };
    weir = await startWeir({ providers: { anthropic: provider }, settings });
    return { remote, weir };
  }

  it('runs mixed lines as one message batch at half the price, and leaves nothing there', async () => {
    const { remote, weir } = await start({ usage: 'cached' });
    const input = mixedLines(120);
    const batch = await submit(weir, input, { window: '24h' });
    const ended = await waitForBatch(weir, batch.id);
    expect(ended.request_counts).toEqual({ total: 120, completed: 120, failed: 0 });
    const { entries, batch: object } = await assertInvariants(weir, batch.id, input);
    expect(entries.every(({ mode, amount_nano_usd: amount }) => mode === 'batch' && amount !== null)).toBe(true);
    expect(object.cost.amount_nano_usd * 2).toBe(object.cost.list_amount_nano_usd);
    const { cached_input_tokens: cached, cache_write_1h_tokens: kept } = entries[5]?.usage ?? {};
    expect([cached, kept]).toEqual([100, 10]);
    expect(remote.held().created).toBe(1);
    await expect.poll(() => remote.held(), { timeout: 10_000 }).toMatchObject({ live: 0, files: 0 });
  }, 60_000);

  it('makes one message batch although the answer to the create call was lost', async () => {
    const { remote, weir } = await start({ job_ms: 1500, fail_on: 'create', fail_with: 'lost_answer', fail_count: 1 });
    const input = mixedLines(24);
    const batch = await submit(weir, input, { window: '24h' });
    const ended = await waitForBatch(weir, batch.id, { seconds: 50 });
    expect(ended.request_counts).toEqual({ total: 24, completed: 24, failed: 0 });
    const { entries } = await assertInvariants(weir, batch.id, input);
    expect(entries).toHaveLength(24);
    expect(remote.held().created).toBe(1);
  }, 70_000);

  it('delivers what was done when a batch is cancelled', async () => {
    const { remote, weir } = await start({ hold: 'half' });
    const input = mixedLines(20);
    const batch = await submit(weir, input, { window: '24h' });
    const isRunning = (object: unknown) => (object as BatchObject).shards?.[0]?.state === 'running';
    await waitForBatch(weir, batch.id, { until: isRunning });
    await weir.client.batches.cancel(batch.id);
    const ended = await waitForBatch(weir, batch.id);
    expect(ended).toMatchObject({ status: 'cancelled', request_counts: { total: 20, completed: 10, failed: 10 } });
    await assertInvariants(weir, batch.id, input);
    expect(remote.held().live).toBe(0);
  }, 60_000);

  it('sends requests that failed in the batch once more, one by one', async () => {
    const { weir } = await start({ rate_errored: 0.3, errored_type: 'overloaded_error' });
    const input = mixedLines(30);
    const batch = await submit(weir, input, { window: '24h' });
    const ended = await waitForBatch(weir, batch.id);
    expect(ended.request_counts).toEqual({ total: 30, completed: 30, failed: 0 });
    const { entries } = await assertInvariants(weir, batch.id, input);
    expect(new Set(entries.map(({ mode }) => mode))).toEqual(new Set(['batch', 'immediate']));
  }, 60_000);
});
