import Anthropic from '@anthropic-ai/sdk';
import type OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { type StreamingService, streamingServices } from './streaming-services.ts';
import { ADMIN_KEY, type Pools, startPools, startWeir, type Weir } from './weir.ts';

const messages = [{ role: 'user' as const, content: 'What is 2 + 2?' }];

describe.each(Object.keys(streamingServices))('streams of %s', (kind) => {
  let service: StreamingService;
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await service?.stop();
    await pools?.stop();
  });

  async function open(): Promise<void> {
    service = (await streamingServices[kind]?.()) as StreamingService;
    pools = await startPools([{ models: ['m'] }]);
    const pool = {
      kind: 'vllm',
      base_urls: [pools.servers[0]?.baseUrl],
      models: ['m'],
      price: { input: 1, output: 2 },
    };
    const targets = [
      { provider: 's', model: service.model },
      { provider: 'pool', model: 'm' },
    ];
    weir = await startWeir({
      providers: { s: { ...service.entry, limits: { concurrency: 8 } }, pool },
      routes: {
        only: { provider: 's', model: service.model, retry: { attempts: 0 } },
        safe: { strategy: { mode: 'fallback' }, targets, retry: { attempts: 0 } },
      },
    });
  }

  const entries = async (): Promise<LedgerEntryObject[]> =>
    (await weir.call<{ data: LedgerEntryObject[] }>('/v1/ledger/entries?limit=100&order=asc')).data;

  const chat = (model: string, extra: object = {}) =>
    weir.client.chat.completions.create({ model, messages, max_tokens: 200, ...extra, stream: true });

  async function textOf(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<string> {
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    return text;
  }

  it('say what the whole answer says, at the same price, at every endpoint', async () => {
    await open();
    service.stream({ write_bytes: 7 });
    const whole = await weir.client.chat.completions.create({ model: 'only', messages, max_tokens: 200 });
    const texts: string[] = [];
    let usage: OpenAI.CompletionUsage | null = null;
    const stream = await chat('only', { stream_options: { include_usage: true } });
    for await (const chunk of stream) {
      texts.push(chunk.choices[0]?.delta.content ?? '');
      usage = chunk.usage ?? usage;
    }
    expect(texts.filter((text) => text !== '').length).toBeGreaterThan(2);
    expect(texts.join('')).toBe(whole.choices[0]?.message.content);
    expect(usage).toEqual(whole.usage);
    const [first, second] = await entries();
    expect(second).toMatchObject({ status: 'succeeded', estimated: false, mode: 'sync' });
    for (const name of ['usage', 'rates', 'amount_nano_usd', 'served_model'] as const) {
      expect([name, second?.[name]]).toEqual([name, first?.[name]]);
    }

    const said = await weir.client.responses
      .stream({ model: 'only', input: 'Hello', max_output_tokens: 200 })
      .finalResponse();
    const asked = await weir.client.responses.create({ model: 'only', input: 'Hello', max_output_tokens: 200 });
    expect([said.output_text, said.usage]).toEqual([asked.output_text, asked.usage]);
    const completion = { model: 'only', prompt: 'Two and two is', max_tokens: 100 };
    let completed = '';
    for await (const { choices } of await weir.client.completions.create({ ...completion, stream: true })) {
      completed += choices[0]?.text ?? '';
    }
    expect(completed).toBe((await weir.client.completions.create(completion)).choices[0]?.text);
    const claude = new Anthropic({ apiKey: ADMIN_KEY, baseURL: weir.url, maxRetries: 0 });
    const message = { model: 'only', max_tokens: 200, messages };
    const streamed = await claude.messages.stream(message).finalMessage();
    const { content, usage: counts } = await claude.messages.create(message);
    expect(streamed).toMatchObject({ content, usage: counts, stop_reason: 'end_turn' });
    const tools = [
      { type: 'function' as const, function: { name: 'add', parameters: { type: 'object', properties: {} } } },
    ];
    const called = await weir.client.chat.completions
      .stream({ model: 'only', messages, tools, tool_choice: 'required', max_tokens: 200 })
      .finalChatCompletion();
    expect(called.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: null, tool_calls: [{ function: { name: 'add' } }] },
    });
    const [call] = called.choices[0]?.message.tool_calls ?? [];
    expect(call?.type === 'function' && JSON.parse(call.function.arguments)).toBeTypeOf('object');
    expect(
      (await entries()).every(({ status, amount_nano_usd: amount }) => status === 'succeeded' && amount !== null),
    ).toBe(true);
  });

  it('come as they are said, and are entered as an estimate when the client leaves', async () => {
    await open();
    // The service says a part and then nothing more: whoever hears it heard it live.
    service.stream({ fault: 'hang', fault_at: service.late });
    const stream = await chat('only');
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    const claude = new Anthropic({ apiKey: ADMIN_KEY, baseURL: weir.url, maxRetries: 0 });
    for await (const event of await claude.messages.create({ model: 'only', max_tokens: 99, messages, stream: true })) {
      if (event.type === 'content_block_delta') break;
    }
    await expect.poll(async () => (await entries()).length).toBe(2);
    for (const entry of await entries()) {
      expect(entry).toMatchObject({ status: 'unknown', estimated: true, error_code: 'client_disconnected' });
      expect(entry.amount_nano_usd).toBeGreaterThan(0);
    }
    await expect.poll(() => service.left()).toBe(2);
  });

  it('go elsewhere before the first word, and break off with an entry of what was said after it', async () => {
    await open();
    for (const fault of ['error', 'cut', 'end', 'corrupt'] as const) {
      service.stream({ fault, fault_at: service.early });
      const { data, response } = await chat('safe').withResponse();
      expect([fault, response.headers.get('x-weir-provider')]).toEqual([fault, 'pool']);
      expect(await textOf(data)).not.toBe('');
    }
    const asked = service.asked();
    expect(pools.servers[0]?.counters.received).toBe(4);
    for (const fault of ['error', 'cut', 'end', 'corrupt'] as const) {
      service.stream({ fault, fault_at: service.late });
      await expect(textOf(await chat('safe'))).rejects.toThrow();
    }
    expect([service.asked(), pools.servers[0]?.counters.received]).toEqual([asked + 4, 4]);
    // What was not said is no estimate.
    const broken = (await entries()).filter(({ estimated }) => estimated);
    expect(broken.map(({ status, estimated, provider }) => [status, estimated, provider])).toEqual(
      Array.from({ length: 4 }, () => ['unknown', true, 's']),
    );
    expect(
      broken.every(({ amount_nano_usd: amount, usage }) => (amount ?? 0) > 0 && (usage?.output_tokens ?? 0) > 0),
    ).toBe(true);
  });
});
