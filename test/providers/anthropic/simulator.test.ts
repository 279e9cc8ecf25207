import Anthropic, { APIError } from '@anthropic-ai/sdk';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type AnthropicServerOptions,
  type SimulatedAnthropic,
  startAnthropicServer,
} from '../../../providers/sandbox/servers/anthropic.ts';
import { InvalidSettings } from '../../../providers/sandbox/servers/settings.ts';

const model = 'claude-haiku-4-5';
const messages = [{ role: 'user' as const, content: 'What is 2 + 2?' }];

describe('the simulated Anthropic', () => {
  let server: SimulatedAnthropic | undefined;
  afterEach(() => server?.stop());

  async function start(
    options: AnthropicServerOptions = {},
  ): Promise<{ client: Anthropic; server: SimulatedAnthropic }> {
    server = await startAnthropicServer({ api_key: 'sk-sim', ...options });
    return { client: clientOf(server.url), server };
  }

  function clientOf(baseURL: string, apiKey = 'sk-sim'): Anthropic {
    return new Anthropic({ apiKey, authToken: null, baseURL, maxRetries: 0, logLevel: 'off' });
  }

  async function errorOf(promise: PromiseLike<unknown>): Promise<{ status: unknown; type: unknown }> {
    const error = await Promise.resolve(promise).then(
      () => null,
      (reason: unknown) => reason,
    );
    if (!(error instanceof APIError)) throw new Error(`no APIError: ${String(error)}`);
    const body = error.error as { error?: { type?: unknown } } | undefined;
    return { status: error.status, type: body?.error?.type };
  }

  it('answers the official SDK, the same request always alike', async () => {
    const { client } = await start();
    const first = await client.messages.create({ model, max_tokens: 100, messages });
    expect(first).toMatchObject({
      type: 'message',
      model,
      stop_reason: 'end_turn',
      usage: { input_tokens: expect.any(Number) },
    });
    expect(await client.messages.create({ model, max_tokens: 100, messages })).toEqual(first);
    const short = await client.messages.create({ model, max_tokens: 3, messages });
    expect(short).toMatchObject({ stop_reason: 'max_tokens', usage: { output_tokens: 3 } });
    const models = [];
    for await (const listed of client.models.list()) models.push(listed.id);
    expect(models).toContain(model);
  });

  it('streams to the official SDK what it answers whole, and breaks off as told', async () => {
    const { client, server } = await start({ usage: 'cached', stream: { write_bytes: 5 } });
    const tools = [{ name: 'add', input_schema: { type: 'object' as const } }];
    const bodies = [
      { model, max_tokens: 100, messages },
      { model, max_tokens: 3, messages },
      { model, max_tokens: 2_000, messages, thinking: { type: 'enabled' as const, budget_tokens: 1_024 } },
      { model, max_tokens: 100, messages, tools, tool_choice: { type: 'any' as const } },
    ];
    for (const body of bodies) {
      const whole = await client.messages.create(body);
      const streamed = await client.messages.stream(body).finalMessage();
      expect([streamed.id, streamed.content, streamed.stop_reason]).toEqual([
        whole.id,
        whole.content,
        whole.stop_reason,
      ]);
      expect(streamed.usage).toMatchObject({
        input_tokens: whole.usage.input_tokens,
        cache_read_input_tokens: whole.usage.cache_read_input_tokens,
        output_tokens: whole.usage.output_tokens,
      });
    }
    for (const fault of ['error', 'cut'] as const) {
      server.configure({ stream: { fault, fault_at: 5 } });
      await expect(client.messages.stream({ model, max_tokens: 100, messages }).finalMessage()).rejects.toThrow();
    }
  });

  it('runs batches for the official SDK, results in another order', async () => {
    const { client, server } = await start({ hold: true });
    const requests = Array.from({ length: 30 }, (_, index) => ({
      custom_id: `r-${index}`,
      params: { model: index === 7 ? 'claude-none' : model, max_tokens: 50, messages },
    }));
    const created = await client.messages.batches.create({ requests });
    expect(created).toMatchObject({
      processing_status: 'in_progress',
      results_url: null,
      request_counts: { processing: 30, succeeded: 0 },
    });
    server.configure({ hold: false });
    const ended = await client.messages.batches.retrieve(created.id);
    expect(ended).toMatchObject({
      processing_status: 'ended',
      request_counts: { processing: 0, succeeded: 29, errored: 1 },
    });
    const ids: string[] = [];
    for await (const line of await client.messages.batches.results(created.id)) {
      ids.push(line.custom_id);
      const { result } = line;
      if (result.type === 'succeeded') expect(result.message.usage.service_tier).toBe('batch');
      if (line.custom_id === 'r-7')
        expect(result).toMatchObject({ type: 'errored', error: { error: { type: 'not_found_error' } } });
    }
    expect(ids).not.toEqual(requests.map(({ custom_id }) => custom_id));
    expect(ids.toSorted()).toEqual(requests.map(({ custom_id }) => custom_id).toSorted());
    expect(await client.messages.batches.delete(created.id)).toEqual({ id: created.id, type: 'message_batch_deleted' });
    expect(await errorOf(client.messages.batches.retrieve(created.id))).toEqual({
      status: 404,
      type: 'not_found_error',
    });
  });

  it('cancels what is not done, and lists page by page', async () => {
    const { client, server } = await start({ hold: 'half' });
    const params = { model, max_tokens: 50, messages };
    const requests = [
      { custom_id: 'a', params },
      { custom_id: 'b', params },
    ];
    const made = [];
    for (let count = 0; count < 5; count += 1) made.push((await client.messages.batches.create({ requests })).id);
    const [id = ''] = made;
    expect(await client.messages.batches.cancel(id)).toMatchObject({ cancel_initiated_at: expect.any(String) });
    expect(await client.messages.batches.retrieve(id)).toMatchObject({
      processing_status: 'ended',
      request_counts: { succeeded: 1, canceled: 1 },
    });
    expect(await errorOf(client.messages.batches.delete(made[1] ?? ''))).toMatchObject({ status: 400 });
    const listed = [];
    for await (const batch of client.messages.batches.list({ limit: 2 })) listed.push(batch.id);
    expect(listed).toEqual(made.toReversed());
    expect(server.held()).toEqual({ created: 5, live: 4, files: 1 });
  });

  it('refuses what the service refuses', async () => {
    const { client, server } = await start();
    const params = { model, max_tokens: 50, messages };
    const create = (requests: { custom_id: string; params: typeof params }[]) =>
      errorOf(client.messages.batches.create({ requests }));
    const refused = { status: 400, type: 'invalid_request_error' };
    expect(await create([])).toEqual(refused);
    expect(await create([{ custom_id: 'a b', params }])).toEqual(refused);
    expect(await create([{ custom_id: 'a'.repeat(65), params }])).toEqual(refused);
    expect(
      await create([
        { custom_id: 'a', params },
        { custom_id: 'a', params },
      ]),
    ).toEqual(refused);
    server.configure({ max_bytes: 50 });
    expect(await create([{ custom_id: 'a', params }])).toEqual({ status: 413, type: 'request_too_large' });
    const wrong = clientOf(server.url, 'sk-wrong');
    expect(await errorOf(wrong.models.list())).toEqual({ status: 401, type: 'authentication_error' });
    // The SDK asks for the newer version, which takes no sampling parameters.
    const sampled = { ...params, temperature: 1 } as typeof params;
    expect(await errorOf(client.messages.create(sampled))).toEqual(refused);
    for (const changes of [{ max_tokens: 0 }, { messages: [] }, { strange: 1 }, { stop_sequences: [' '] }]) {
      expect(
        await errorOf(client.messages.create({ ...params, ...changes } as typeof params)),
        JSON.stringify(changes),
      ).toEqual(refused);
    }
  });

  it('demands the version header, and takes the key in either header', async () => {
    const { server } = await start();
    const ask = async (headers: Record<string, string>) => (await fetch(`${server.url}/v1/models`, { headers })).status;
    const version = { 'anthropic-version': '2023-06-01' };
    expect(await ask({ 'x-api-key': 'sk-sim' })).toBe(400);
    expect(await ask({ ...version, 'x-api-key': 'sk-sim' })).toBe(200);
    expect(await ask({ ...version, authorization: 'Bearer sk-sim' })).toBe(200);
    expect(await ask(version)).toBe(401);
    expect(await ask({ 'anthropic-version': '2020-01-01', 'x-api-key': 'sk-sim' })).toBe(400);
  });

  it('refuses settings that it does not know', async () => {
    await expect(startAnthropicServer({ rate_errored: 2 })).rejects.toThrow(InvalidSettings);
    const { server } = await start();
    expect(() => server.configure({ strange: 1 } as object)).toThrow(/strange|Unrecognized/);
  });
});
