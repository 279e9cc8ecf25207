import Anthropic from '@anthropic-ai/sdk';
import { afterEach, describe, expect, it } from 'vitest';
import { ADMIN_KEY, type Pools, startPools, startWeir, type Weir } from './weir.ts';

describe("Anthropic's Messages over any provider", () => {
  let pools: Pools;
  let weir: Weir;
  let client: Anthropic;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  async function open(server: Parameters<typeof startPools>[0][number] = {}): Promise<void> {
    pools = await startPools([{ models: ['m'], log_size: 50, ...server }]);
    const provider = {
      kind: 'vllm',
      base_urls: [pools.servers[0]?.baseUrl],
      models: ['m'],
      price: { input: 1, output: 2 },
    };
    weir = await startWeir({ providers: { p: provider } });
    client = new Anthropic({ apiKey: ADMIN_KEY, baseURL: weir.url, maxRetries: 0, timeout: 30_000 });
  }

  const sent = (): Record<string, unknown> =>
    JSON.parse(String(pools.servers[0]?.requests.at(-1)?.body)) as Record<string, unknown>;

  it('are answered by the official client, whole and in events, with usage and errors in its words', async () => {
    await open();
    const message = await client.messages.create({
      model: 'p/m',
      max_tokens: 40,
      system: 'Be brief.',
      stop_sequences: ['END'],
      messages: [
        { role: 'user', content: 'Add 2 and 2.' },
        { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'add', input: { a: 2 } }] },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'toolu_1', content: '4' },
            { type: 'text', text: 'So?' },
          ],
        },
      ],
      tools: [{ name: 'add', description: 'Adds.', input_schema: { type: 'object', properties: {} } }],
      tool_choice: { type: 'auto' },
    });
    expect(message).toMatchObject({ type: 'message', role: 'assistant' });
    expect(message.content[0]).toMatchObject({ type: 'text' });
    expect(message.usage.output_tokens).toBeGreaterThan(0);
    expect(sent()).toMatchObject({
      model: 'm',
      stop: ['END'],
      tool_choice: 'auto',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Add 2 and 2.' },
        { role: 'assistant', tool_calls: [{ id: 'toolu_1', function: { name: 'add', arguments: '{"a":2}' } }] },
        { role: 'tool', tool_call_id: 'toolu_1', content: '4' },
        { role: 'user', content: 'So?' },
      ],
    });

    const stream = client.messages.stream({
      model: 'p/m',
      max_tokens: 40,
      messages: [{ role: 'user', content: 'Hi' }],
    });
    const streamed = await stream.finalMessage();
    expect(streamed.content[0]).toMatchObject({ type: 'text' });
    expect(streamed.usage.output_tokens).toBeGreaterThan(0);
    expect(streamed.stop_reason).not.toBeNull();

    const wrong = client.messages.create({ model: 'none', max_tokens: 4, messages: [{ role: 'user', content: 'Hi' }] });
    await expect(wrong).rejects.toMatchObject({
      status: 404,
      error: { type: 'error', error: { type: 'not_found_error' } },
    });
    const odd = client.messages.create({ model: 'p/m', max_tokens: 4, messages: [], container: 'x' } as never);
    await expect(odd).rejects.toThrow(/container: Extra inputs are not permitted/);
  });

  it('run as batches: create, retrieve, list, results, delete', async () => {
    await open();
    const requests = Array.from({ length: 12 }, (_, index) => ({
      custom_id: `r-${index}`,
      params: { model: 'p/m', max_tokens: 16, messages: [{ role: 'user' as const, content: `Question ${index}` }] },
    }));
    const created = await client.messages.batches.create({ requests }, { headers: { 'x-weir-window': 'immediate' } });
    expect(created).toMatchObject({ type: 'message_batch', processing_status: 'in_progress' });
    await expect
      .poll(async () => (await client.messages.batches.retrieve(created.id)).processing_status, { timeout: 20_000 })
      .toBe('ended');
    const ended = await client.messages.batches.retrieve(created.id);
    expect(ended.request_counts).toMatchObject({ processing: 0, succeeded: 12, errored: 0 });
    const ids: string[] = [];
    for await (const line of await client.messages.batches.results(created.id)) {
      ids.push(line.custom_id);
      expect(line.result).toMatchObject({ type: 'succeeded', message: { type: 'message', role: 'assistant' } });
    }
    expect(ids).toEqual(requests.map(({ custom_id: id }) => id));
    expect((await client.messages.batches.list()).data.map(({ id }) => id)).toEqual([created.id]);
    await client.messages.batches.delete(created.id);
    await expect(client.messages.batches.retrieve(created.id)).rejects.toMatchObject({ status: 404 });
    const twice = [requests[0], requests[0]] as typeof requests;
    await expect(client.messages.batches.create({ requests: twice })).rejects.toThrow(/requests.1.custom_id/);
  });

  it('can be cancelled, and say of each request what became of it', async () => {
    await open({ latency_ms: 200, slots: 2 });
    const requests = Array.from({ length: 60 }, (_, index) => ({
      custom_id: `r-${index}`,
      params: { model: 'p/m', max_tokens: 16, messages: [{ role: 'user' as const, content: `Question ${index}` }] },
    }));
    const { id } = await client.messages.batches.create({ requests }, { headers: { 'x-weir-window': 'immediate' } });
    await expect.poll(() => pools.servers[0]?.counters.received ?? 0, { timeout: 10_000 }).toBeGreaterThan(2);
    const canceling = await client.messages.batches.cancel(id);
    expect(['canceling', 'ended']).toContain(canceling.processing_status);
    await expect
      .poll(async () => (await client.messages.batches.retrieve(id)).processing_status, { timeout: 20_000 })
      .toBe('ended');
    const kinds = new Map<string, number>();
    for await (const { result } of await client.messages.batches.results(id)) {
      kinds.set(result.type, (kinds.get(result.type) ?? 0) + 1);
    }
    expect([...kinds.keys()].toSorted()).toEqual(['canceled', 'succeeded']);
    expect((kinds.get('canceled') ?? 0) + (kinds.get('succeeded') ?? 0)).toBe(60);
  });
});
