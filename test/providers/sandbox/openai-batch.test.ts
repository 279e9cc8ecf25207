import OpenAI, { APIError, AzureOpenAI, toFile } from 'openai';
import type { Batch } from 'openai/resources/batches';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type BatchServerOptions,
  type SimulatedBatchServer,
  startOpenAIBatchServer,
} from '../../../providers/sandbox/servers/openai-batch.ts';

const closings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0)) await close();
});

async function start(options: BatchServerOptions = {}): Promise<{ server: SimulatedBatchServer; client: OpenAI }> {
  const server = await startOpenAIBatchServer({ api_key: 'key', ...options });
  closings.push(() => server.stop());
  return { server, client: new OpenAI({ baseURL: server.baseUrl, apiKey: 'key', maxRetries: 0 }) };
}

const chat = '/v1/chat/completions';

function lines(count: number, changes: object = {}, endpoint = chat): string {
  return Array.from({ length: count }, (_, index) => {
    const body = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: `Question ${index}` }], max_tokens: 8 };
    return `${JSON.stringify({ custom_id: `r-${index}`, method: 'POST', url: endpoint, body, ...changes })}\n`;
  }).join('');
}

async function upload(client: OpenAI, text: string) {
  return client.files.create({ file: await toFile(Buffer.from(text), 'in.jsonl'), purpose: 'batch' });
}

async function create(client: OpenAI, text: string): Promise<Batch> {
  const file = await upload(client, text);
  return client.batches.create({
    input_file_id: file.id,
    endpoint: chat,
    completion_window: '24h',
    metadata: { a: 'b' },
  });
}

async function over(client: OpenAI, batch: Batch): Promise<Batch> {
  const deadline = performance.now() + 5000;
  for (;;) {
    const now = await client.batches.retrieve(batch.id);
    if (/^(completed|failed|expired|cancelled)$/i.test(now.status)) return now;
    if (performance.now() > deadline) throw new Error(`still ${now.status}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function rows(client: OpenAI, fileId: string | null | undefined): Promise<Record<string, unknown>[]> {
  const text = await (await client.files.content(fileId ?? '')).text();
  return text
    .split('\n')
    .filter(Boolean)
    .map((row) => JSON.parse(row) as Record<string, unknown>);
}

describe('the simulated files and batches, driven by the official client', () => {
  it('run a file from upload to output', async () => {
    const { client, server } = await start({ job_ms: 40 });
    const batch = await create(client, lines(5));
    expect(batch).toMatchObject({ object: 'batch', status: 'validating', metadata: { a: 'b' }, output_file_id: null });
    const ended = await over(client, batch);
    expect(ended).toMatchObject({ status: 'completed', error_file_id: null });
    expect(ended.request_counts).toEqual({ total: 5, completed: 5, failed: 0 });
    const output = await rows(client, ended.output_file_id);
    expect(output.map(({ custom_id: id }) => id).toSorted()).toEqual(['r-0', 'r-1', 'r-2', 'r-3', 'r-4']);
    expect(output[0]).toMatchObject({
      error: null,
      response: { status_code: 200, body: { object: 'chat.completion' } },
    });
    expect(server.counters).toMatchObject({ batches_created: 1, lines_run: 5, files_uploaded: 1 });
    const file = await client.files.retrieve(ended.input_file_id);
    expect(file).toMatchObject({ purpose: 'batch', filename: 'in.jsonl', bytes: Buffer.byteLength(lines(5)) });
    expect(await client.files.delete(file.id)).toMatchObject({ deleted: true });
    await expect(client.files.retrieve(file.id)).rejects.toMatchObject({ status: 404 });
  });

  it('list all pages, newest first', async () => {
    const { client } = await start({ stop_at: 0 });
    const ids: string[] = [];
    for (let number = 0; number < 25; number += 1) ids.push((await create(client, lines(1))).id);
    const listed: string[] = [];
    for await (const { id } of client.batches.list({ limit: 10 })) listed.push(id);
    expect(listed).toEqual(ids.toReversed());
    let files = 0;
    for await (const { purpose } of client.files.list({ limit: 7, purpose: 'batch' }))
      files += purpose === 'batch' ? 1 : 0;
    expect(files).toBe(25);
  });

  it('cancel a batch, and say what was never run', async () => {
    const { client } = await start({ stop_at: 0.5, cancel_ms: 30 });
    const batch = await create(client, lines(4));
    await client.batches.retrieve(batch.id);
    expect((await client.batches.cancel(batch.id)).status).toBe('cancelling');
    const ended = await over(client, batch);
    expect(ended).toMatchObject({ status: 'cancelled', request_counts: { total: 4, completed: 2, failed: 2 } });
    expect(await rows(client, ended.output_file_id)).toHaveLength(2);
    expect((await rows(client, ended.error_file_id))[0]).toMatchObject({
      response: null,
      error: { code: 'batch_cancelled' },
    });
    expect((await client.batches.cancel(batch.id)).status).toBe('cancelled');
  });

  it('refuse to cancel what has ended', async () => {
    const { client } = await start();
    const ended = await over(client, await create(client, lines(1)));
    const error = await client.batches.cancel(ended.id).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 409, message: expect.stringContaining(`status 'completed'`) });
  });

  it('let a batch expire with what was done', async () => {
    const { client, server } = await start({ stop_at: 0.5 });
    const batch = await create(client, lines(4));
    server.expire();
    const ended = await over(client, batch);
    expect(ended).toMatchObject({ status: 'expired', request_counts: { completed: 2, failed: 2 } });
    expect((await rows(client, ended.error_file_id))[0]).toMatchObject({ error: { code: 'batch_expired' } });
  });

  it.each([
    ['{"custom_id":', 'invalid_json_line', null],
    [lines(1, { custom_id: 'r-1', url: '/v1/embeddings' }), 'invalid_url', 'url'],
    [lines(1, { custom_id: undefined }), 'missing_required_parameter', 'custom_id'],
    [lines(1, { custom_id: 'r-1', body: { messages: [] } }), 'invalid_request', 'body.model'],
    [lines(1, { custom_id: 'r-1', body: { model: 'other', messages: [] } }), 'mismatched_model', null],
    [lines(1), 'duplicate_custom_id', 'custom_id'],
    [
      lines(1, { custom_id: 'r-1', body: { model: 'gpt-4o-mini', stream: true } }),
      'streaming_unsupported',
      'body.stream',
    ],
  ] as const)('refuse the whole file for a second line %j', async (second, code, param) => {
    const { client } = await start();
    const ended = await over(client, await create(client, lines(1) + second));
    expect(ended.status).toBe('failed');
    expect(ended.errors?.data).toMatchObject([{ code, param, line: 2, message: expect.any(String) }]);
  });

  it('refuse what is no JSONL, no batch and no key', async () => {
    const { client, server } = await start({ max_file_bytes: 1000 });
    await expect(upload(client, 'hello')).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('.jsonl'),
    });
    await expect(upload(client, lines(20))).rejects.toMatchObject({ message: expect.stringContaining('too large') });
    await expect(client.batches.retrieve('batch_none')).rejects.toMatchObject({ status: 404 });
    const stranger = new OpenAI({ baseURL: server.baseUrl, apiKey: 'wrong', maxRetries: 0 });
    await expect(stranger.batches.list()).rejects.toMatchObject({ status: 401 });
  });

  it('fail a batch when its tokens do not fit into the queue', async () => {
    const { client } = await start({ enqueued_tokens: 10 });
    const ended = await over(client, await create(client, lines(3)));
    expect(ended.errors?.data).toMatchObject([{ code: 'token_limit_exceeded', line: null }]);
  });

  it('answer at once beside their batches', async () => {
    const { client } = await start();
    const answer = await client.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'Hello' }] });
    expect(answer.choices[0]?.message.content).toBeTypeOf('string');
  });
});

describe('the simulated service in Azure’s ways', () => {
  const azure = { flavour: 'azure', file_ms: 20, old_style: true, empty_ids: true } as const;

  it('is accepted by the official Azure client with a dated version', async () => {
    const { server } = await start({ ...azure, models: ['my-mini'] });
    const client = new AzureOpenAI({ endpoint: server.url, apiKey: 'key', apiVersion: '2024-10-21', maxRetries: 0 });
    const text = lines(2, {}, '/chat/completions').replaceAll('gpt-4o-mini', 'my-mini');
    const file = await upload(client, text);
    expect(file.status).toBe('pending');
    const ready = await client.files.waitForProcessing(file.id, { pollInterval: 5, maxWait: 2000 });
    expect(ready.status).toBe('processed');
    const order = { input_file_id: file.id, endpoint: '/chat/completions', completion_window: '24h' };
    const batch = await client.batches.create(order as unknown as OpenAI.BatchCreateParams);
    expect(batch).toMatchObject({
      status: 'Validating',
      endpoint: null,
      error_file_id: '',
      created_at: expect.stringContaining('T'),
    });
    const ended = await over(client, batch);
    expect(ended.status).toBe('Completed');
    expect(await (await client.files.content(ended.error_file_id ?? '')).text()).toBe('');
    const output = await rows(client, ended.output_file_id);
    expect(output[0]).not.toHaveProperty('id');
    expect(output[0]).toMatchObject({
      response: { body: { choices: [{ content_filter_results: expect.any(Object) }] } },
    });
  });

  it('has no dated paths without a version, and no batches that expire', async () => {
    const { server } = await start(azure);
    expect((await fetch(`${server.url}/openai/batches`)).status).toBe(404);
    server.configure({ stop_at: 0 });
    const client = new OpenAI({ baseURL: `${server.url}/openai/v1`, apiKey: 'key', maxRetries: 0 });
    const file = await upload(client, lines(1));
    await client.files.waitForProcessing(file.id, { pollInterval: 5 });
    const batch = await client.batches.create({ input_file_id: file.id, endpoint: chat, completion_window: '24h' });
    server.expire();
    expect((await client.batches.retrieve(batch.id)).status).toBe('In_progress');
  });

  it('refuses a batch at once when the queue is full', async () => {
    const { server } = await start({ ...azure, enqueued_tokens: 1, token_limit: 'fail_fast' });
    const client = new OpenAI({ baseURL: `${server.url}/openai/v1`, apiKey: 'key', maxRetries: 0 });
    const file = await upload(client, lines(1));
    await client.files.waitForProcessing(file.id, { pollInterval: 5 });
    const order = { input_file_id: file.id, endpoint: chat, completion_window: '24h' } as const;
    await expect(client.batches.create(order)).rejects.toMatchObject({ status: 400, code: 'token_limit_exceeded' });
  });

  it('has places for 500 files, and for twenty times as many that expire', async () => {
    const { server } = await start({ ...azure, max_files: 1 });
    const client = new OpenAI({ baseURL: `${server.url}/openai/v1`, apiKey: 'key', maxRetries: 0 });
    await upload(client, lines(1));
    await expect(upload(client, lines(1))).rejects.toMatchObject({ status: 400 });
    const file = await toFile(Buffer.from(lines(1)), 'in.jsonl');
    const expiring = { anchor: 'created_at', seconds: 1_209_600 } as const;
    expect(await client.files.create({ file, purpose: 'batch', expires_after: expiring })).toHaveProperty('expires_at');
    const short = { anchor: 'created_at', seconds: 3600 } as const;
    await expect(client.files.create({ file, purpose: 'batch', expires_after: short })).rejects.toMatchObject({
      status: 400,
    });
  });
});
