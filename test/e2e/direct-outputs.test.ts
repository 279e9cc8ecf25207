import { afterEach, describe, expect, it } from 'vitest';
import type { BatchRequest } from '../../src/protocol/batch-request.ts';
import type { OutputLine } from '../../src/protocol/result-line.ts';
import { ask, codeOf } from './answers.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, type Pools, splitConfig, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

interface Page {
  data: BatchRequest[];
  has_more: boolean;
  last_id: string | null;
}

describe('direct outputs', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  async function open(
    server: Parameters<typeof startPools>[0][number] = {},
    extra: Parameters<typeof splitConfig>[2] = {},
  ): Promise<void> {
    pools = await startPools([{ models: ['gpt-4o-mini'], ...server }]);
    weir = await startWeir(splitConfig([server0().baseUrl], [1], extra));
  }

  const server0 = () => pools.servers[0] as Pools['servers'][number];
  const done = (count: number) => ({
    until: ({ request_counts: counts }: { request_counts?: { completed: number } }) =>
      (counts?.completed ?? 0) >= count,
  });
  const parse = (text: unknown): OutputLine[] =>
    String(text)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as OutputLine);

  /** Opens /output?follow=true; `read` takes chunks until `enough` lines are there, or to the end. */
  async function follow(id: string) {
    const stop = new AbortController();
    const response = await fetch(`${weir.url}/v1/batches/${id}/output?follow=true`, {
      headers: { authorization: `Bearer ${weir.client.apiKey}` },
      signal: stop.signal,
    });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    let text = '';
    const read = async (enough = Number.POSITIVE_INFINITY): Promise<OutputLine[]> => {
      while (text.split('\n').length - 1 < enough) {
        const { done: ended, value } = await reader.read();
        if (ended) break;
        text += decoder.decode(value, { stream: true });
      }
      return parse(text.slice(0, text.lastIndexOf('\n') + 1));
    };
    return { response, read, stop: () => stop.abort() };
  }

  it('while it runs: the finished lines in input order, marked as incomplete; then all, without the mark', async () => {
    await open(
      { latency_ms: { min: 10, max: 120 }, poison: [{ contains: 'Question 3:', fail_with: 400 }] },
      { limits: { concurrency: 8 } },
    );
    const input = chatLines(60);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, done(10));
    const partial = await ask(weir, `/v1/batches/${id}/output`);
    expect(partial.headers.get('x-weir-incomplete')).toBe('true');
    expect(partial.headers.get('content-type')).toBe('application/jsonl');
    const lines = parse(partial.body.text);
    expect(lines.length).toBeGreaterThanOrEqual(10);
    expect(lines.length).toBeLessThan(60);
    const order = lines.map((line) => line.weir.line);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    await waitForBatch(weir, id);
    const whole = await ask(weir, `/v1/batches/${id}/output`);
    expect(whole.headers.get('x-weir-incomplete')).toBeNull();
    expect(parse(whole.body.text).filter((line) => order.includes(line.weir.line))).toEqual(lines);
    const books = await assertInvariants(weir, id, input);
    expect(parse(whole.body.text)).toEqual(books.lines);
  });

  it('before the first line: empty and incomplete; after a failed validation: 409 batch_failed', async () => {
    await open({ latency_ms: 300 });
    const { id } = await submit(weir, chatLines(2));
    const early = await ask(weir, `/v1/batches/${id}/output`);
    expect([early.status, early.body.text, early.headers.get('x-weir-incomplete')]).toEqual([200, '', 'true']);
    const bad = await submit(weir, `${chatLines(1)}null\n`);
    await waitForBatch(weir, bad.id);
    const answer = await ask(weir, `/v1/batches/${bad.id}/output`);
    expect([answer.status, codeOf(answer)]).toEqual([409, 'batch_failed']);
    await waitForBatch(weir, id);
  });

  it('followed: lines come while it runs, each once, and the stream ends with the batch', async () => {
    await open(
      { latency_ms: 100, poison: [{ contains: 'Question 5:', fail_with: 400 }] },
      { limits: { concurrency: 8 } },
    );
    const input = chatLines(50, (index) => (index === 7 ? { model: 'nobody-has-it' } : {}));
    const { id } = await submit(weir, input);
    const stream = await follow(id);
    expect(stream.response.headers.get('x-weir-incomplete')).toBe('true');
    const first = await stream.read(1);
    expect(first.length).toBeLessThan(50);
    expect((await weir.client.batches.retrieve(id)).status).toBe('in_progress');
    const lines = await stream.read();
    expect((await weir.client.batches.retrieve(id)).status).toBe('completed');
    const { lines: whole } = await assertInvariants(weir, id, input);
    const byLine = (a: OutputLine, b: OutputLine) => a.weir.line - b.weir.line;
    expect(lines.toSorted(byLine)).toEqual(whole);
  });

  it('followed by three readers, one of whom leaves: the others get every line', async () => {
    await open({ latency_ms: 100 }, { limits: { concurrency: 8 } });
    const input = chatLines(40);
    const { id } = await submit(weir, input);
    const [first, second, leaver] = await Promise.all([follow(id), follow(id), follow(id)]);
    await leaver?.read(1);
    leaver?.stop();
    const wanted = input.split('\n').length - 1;
    expect(await first?.read()).toHaveLength(wanted);
    expect(await second?.read()).toHaveLength(wanted);
    await assertInvariants(weir, id, input);
  });

  it('followed to a cancel: what was done, then the rest as batch_cancelled', async () => {
    await open({ latency_ms: 150 }, { limits: { concurrency: 4 } });
    const input = chatLines(30);
    const { id } = await submit(weir, input);
    const stream = await follow(id);
    await stream.read(4);
    await weir.client.batches.cancel(id);
    const lines = await stream.read();
    expect(lines.map((line) => line.custom_id).toSorted()).toEqual(chatIds(30).toSorted());
    const { output } = await assertInvariants(weir, id, input);
    expect(lines.filter((line) => line.error === null)).toHaveLength(output.length);
  });

  it('followed through a pause: silent, open, and complete in the end', async () => {
    await open({ latency_ms: 50 }, { limits: { concurrency: 4 } });
    const input = chatLines(200);
    const { id } = await submit(weir, input);
    const stream = await follow(id);
    await stream.read(4);
    await weir.call(`/v1/batches/${id}/pause`, { method: 'POST' });
    await waitForBatch(weir, id, { until: ({ request_counts: c }) => c?.completed === server0().counters.received });
    await weir.call(`/v1/batches/${id}/resume`, { method: 'POST' });
    expect(await stream.read()).toHaveLength(200);
    await assertInvariants(weir, id, input);
  });

  it('followed after the end: everything, at once', async () => {
    await open();
    const input = chatLines(10);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id);
    const stream = await follow(id);
    expect(stream.response.headers.get('x-weir-incomplete')).toBeNull();
    expect(await stream.read()).toEqual((await assertInvariants(weir, id, input)).lines);
  });

  it('a server that stops ends the streams and does not wait for their readers', async () => {
    await open({ latency_ms: 200 }, { limits: { concurrency: 2 } });
    const { id } = await submit(weir, chatLines(50));
    const stream = await follow(id);
    await stream.read(1);
    const began = Date.now();
    await weir.stop();
    expect(Date.now() - began).toBeLessThan(5_000);
    await stream.read().catch(() => []);
  });

  it('/requests: every request once, page by page, and by status, also while the batch runs', async () => {
    await open(
      { latency_ms: 100, poison: [{ contains: 'Question 5:', fail_with: 400 }] },
      { limits: { concurrency: 8 } },
    );
    const input = `\n${chatLines(50, (index) => (index === 7 ? { model: 'nobody-has-it' } : {}))}`;
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, done(8));
    const running = await pages(id, 'limit=13');
    expect(running.map((request) => request.custom_id)).toEqual(chatIds(50));
    const pending = running.filter((request) => request.status === 'pending');
    expect(pending.length).toBeGreaterThan(0);
    expect(pending[0]).toMatchObject({ provider: null, attempts: 0, cost_nano_usd: 0, error: null });
    await weir.client.batches.cancel(id);
    await waitForBatch(weir, id);
    const { lines, output } = await assertInvariants(weir, id, input);
    const all = await pages(id, 'limit=1000');
    expect(all.map((request) => [request.custom_id, request.line])).toEqual(
      lines.map((line) => [line.custom_id, line.weir.line]),
    );
    const counted = [];
    for (const status of ['completed', 'failed', 'cancelled', 'expired', 'pending']) {
      const found = await pages(id, `status=${status}&limit=7`);
      expect(found.every((request) => request.status === status)).toBe(true);
      counted.push(found.length);
    }
    expect(counted).toEqual([output.length, 2, 48 - output.length, 0, 0]);
    const failed = (await pages(id, 'status=failed')).map(({ error, status_code: code }) => [error?.code, code]);
    expect(failed.map(([, code]) => code)).toEqual([400, 404]);
    const completed = (await pages(id, 'status=completed'))[0];
    expect(completed).toMatchObject({
      provider: 'pool-a',
      target: 'pool-a/gpt-4o-mini',
      attempts: 1,
      status_code: 200,
    });
    expect(completed?.cost_nano_usd).toBeGreaterThan(0);
  });

  it('/requests with a limit, status or cursor that is none: 400 by name', async () => {
    await open();
    const [first, other] = [await submit(weir, chatLines(2)), await submit(weir, chatLines(2))];
    for (const { id } of [first, other]) await waitForBatch(weir, id);
    const foreign = (await pages(other.id, ''))[0]?.id;
    for (const [query, param] of [
      ['limit=0', 'limit'],
      ['limit=1001', 'limit'],
      ['status=done', 'status'],
      ['after=nonsense', 'after'],
      [`after=${foreign}`, 'after'],
    ]) {
      const answer = await ask(weir, `/v1/batches/${first.id}/requests?${query}`);
      expect(answer, query).toMatchObject({ status: 400, body: { error: { param } } });
    }
  });

  it('the files are OpenAI’s shape alone, with length, ETag, range, and safe to open', async () => {
    await open();
    const { id } = await submit(weir, chatLines(20));
    const file = (await waitForBatch(weir, id)).output_file_id ?? '';
    const { body, headers } = await ask(weir, `/v1/files/${file}/content`);
    const text = String(body.text);
    expect(text).not.toContain('"weir"');
    expect(headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
    expect(headers.get('content-disposition')).toMatch(/^attachment; filename=/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    const etag = headers.get('etag') ?? '';
    const range = await ask(weir, `/v1/files/${file}/content`, { headers: { range: 'bytes=10-19', 'if-range': etag } });
    expect([range.status, range.body.text]).toEqual([206, text.slice(10, 20)]);
    const known = await ask(weir, `/v1/files/${file}/content`, { headers: { 'if-none-match': etag } });
    expect(known.status).toBe(304);
    const beyond = await ask(weir, `/v1/files/${file}/content`, { headers: { range: 'bytes=99999999-' } });
    expect(beyond.status).toBe(416);
  });

  function chatIds(count: number): string[] {
    return Array.from({ length: count }, (_, index) => `request-${index}`);
  }

  async function pages(id: string, query: string): Promise<BatchRequest[]> {
    const found: BatchRequest[] = [];
    for (let after = ''; ; ) {
      const page = await weir.call<Page>(`/v1/batches/${id}/requests?${query}${after}`);
      found.push(...page.data);
      if (!page.has_more) return found;
      after = `&after=${page.last_id}`;
    }
  }
});
