import Anthropic from '@anthropic-ai/sdk';
import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import { ADMIN_KEY, chatLines, type Pools, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

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

  it('run as batches: create, retrieve, list by pages, results, delete', async () => {
    await open();
    const immediate = { headers: { 'x-weir-window': 'immediate' } };
    const requestsOf = (count: number) =>
      Array.from({ length: count }, (_, index) => ({
        custom_id: `r-${index}`,
        params: { model: 'p/m', max_tokens: 16, messages: [{ role: 'user' as const, content: `Question ${index}` }] },
      }));
    const ended = async (id: string) => {
      await expect
        .poll(async () => (await client.messages.batches.retrieve(id)).processing_status, { timeout: 20_000 })
        .toBe('ended');
      return client.messages.batches.retrieve(id);
    };
    const requests = requestsOf(12);
    // What is wrong with a request is said by its result, and by nothing else.
    const [, second, third, fourth] = requests as { params: Record<string, unknown> }[];
    Object.assign(second?.params ?? {}, { max_tokens: 'many' });
    Object.assign(third?.params ?? {}, { stream: true });
    Object.assign(fourth?.params ?? {}, { model: 'nobody-has-it' });
    const created = await client.messages.batches.create({ requests }, immediate);
    expect(created).toMatchObject({ type: 'message_batch', processing_status: 'in_progress', archived_at: null });
    expect(created.request_counts).toEqual({ processing: 12, succeeded: 0, errored: 0, canceled: 0, expired: 0 });
    const { request_counts: counts } = await ended(created.id);
    expect(counts).toEqual({ processing: 0, succeeded: 9, errored: 3, canceled: 0, expired: 0 });
    const ids: string[] = [];
    const errors = new Map<string, string>();
    for await (const line of await client.messages.batches.results(created.id)) {
      ids.push(line.custom_id);
      if (line.result.type === 'succeeded') expect(line.result.message).toMatchObject({ role: 'assistant' });
      if (line.result.type === 'errored') {
        errors.set(line.custom_id, `${line.result.error.error.type}: ${line.result.error.error.message}`);
      }
    }
    expect(ids).toEqual(requests.map(({ custom_id: id }) => id));
    expect(errors.get('r-1')).toMatch(/^invalid_request_error: max_tokens: Field required/);
    expect(errors.get('r-2')).toMatch(/^invalid_request_error: stream: /);
    expect(errors.get('r-3')).toMatch(/^not_found_error: .*nobody-has-it/);
    expect(pools.servers[0]?.counters.received).toBe(9);
    const input = requests.map((request) => JSON.stringify(request)).join('\n');
    await assertInvariants(weir, created.id.replace('msgbatch_', 'batch_'), input);

    const allWrong = await client.messages.batches.create(
      { requests: [{ custom_id: 'only', params: { model: 'p/m' } as never }] },
      immediate,
    );
    expect((await ended(allWrong.id)).request_counts).toMatchObject({ errored: 1, succeeded: 0 });
    const last = await client.messages.batches.create({ requests: requestsOf(1) }, immediate);
    await ended(last.id);
    // A batch that came by the other door is none of this one's.
    const other = await submit(
      weir,
      chatLines(1, () => ({ model: 'p/m' })),
    );
    await waitForBatch(weir, other.id);
    const foreign = client.messages.batches.retrieve(other.id.replace('batch_', 'msgbatch_'));
    await expect(foreign).rejects.toMatchObject({ status: 404, type: 'not_found_error' });
    const newestFirst = [last.id, allWrong.id, created.id];
    const page = await client.messages.batches.list({ limit: 2 });
    expect([page.data.map(({ id }) => id), page.has_more]).toEqual([newestFirst.slice(0, 2), true]);
    const before = await client.messages.batches.list({ before_id: created.id, limit: 1 });
    expect([before.data.map(({ id }) => id), before.has_more]).toEqual([[allWrong.id], true]);
    const walked: string[] = [];
    for await (const { id } of client.messages.batches.list({ limit: 1 })) walked.push(id);
    expect(walked).toEqual(newestFirst);

    const { output_file_id: output } = await weir.client.batches.retrieve(last.id.replace('msgbatch_', 'batch_'));
    await weir.client.files.delete(output ?? '');
    expect((await client.messages.batches.retrieve(last.id)).archived_at).not.toBeNull();
    await expect(client.messages.batches.results(last.id)).rejects.toMatchObject({ type: 'not_found_error' });
    for (const id of [last.id, created.id]) {
      expect(await client.messages.batches.delete(id)).toEqual({ id, type: 'message_batch_deleted' });
      await expect(client.messages.batches.retrieve(id)).rejects.toMatchObject({ status: 404 });
    }
    expect((await client.messages.batches.list()).data.map(({ id }) => id)).toEqual([allWrong.id]);
    const first = requestsOf(1)[0] as (typeof requests)[number];
    await expect(client.messages.batches.create({ requests: [first, first] })).rejects.toThrow(/requests.1.custom_id/);
  });

  it("speak of what is wrong in Anthropic's envelope on every path, before and behind the key", async () => {
    await open();
    const ask = (path: string, key: string, init: RequestInit = {}): Promise<Response> =>
      fetch(`${weir.url}${path}`, { ...init, headers: { 'x-api-key': key, 'content-type': 'application/json' } });
    const cases: [string, string, RequestInit, number, string][] = [
      ['/v1/messages', 'wrong', { method: 'POST', body: '{}' }, 401, 'authentication_error'],
      ['/v1/messages/batches', 'wrong', {}, 401, 'authentication_error'],
      ['/v1/messages/batches/msgbatch_none', ADMIN_KEY, {}, 404, 'not_found_error'],
      ['/v1/messages/none/at/all', ADMIN_KEY, {}, 404, 'not_found_error'],
      ['/v1/messages/batches', ADMIN_KEY, { method: 'PUT' }, 405, 'invalid_request_error'],
      ['/v1/messages/batches?limit=0', ADMIN_KEY, {}, 400, 'invalid_request_error'],
      ['/v1/messages/batches?before_id=msgbatch_a&after_id=msgbatch_b', ADMIN_KEY, {}, 400, 'invalid_request_error'],
      ['/v1/messages/batches?after_id=msgbatch_none', ADMIN_KEY, {}, 404, 'not_found_error'],
      ['/v1/messages/batches', ADMIN_KEY, { method: 'POST', body: '{"requests":[]}' }, 400, 'invalid_request_error'],
      ['/v1/messages', ADMIN_KEY, { method: 'POST', body: 'no json' }, 400, 'invalid_request_error'],
    ];
    for (const [path, key, init, status, type] of cases) {
      const answer = await ask(path, key, init);
      const requestId = answer.headers.get('request-id');
      const said = await answer.json();
      expect([path, answer.status, said]).toEqual([
        path,
        status,
        { type: 'error', error: { type, message: expect.stringMatching(/./) as string }, request_id: requestId },
      ]);
    }
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
    const { request_counts: counts } = await client.messages.batches.retrieve(id);
    expect(counts).toMatchObject(Object.fromEntries(kinds));
    expect(counts.canceled + counts.succeeded).toBe(60);
  });
});
