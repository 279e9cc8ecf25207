import { describe, expect, it } from 'vitest';
import type { ShardInput } from '../../../providers/contract.ts';
import { createNodeHttpClient } from '../../../providers/shared/http-node.ts';
import { Bench, cleanups, failureOf, keys, longToken, start } from './batch-bench.ts';
import { model, providerAt, startAnthropic } from './bench.ts';

describe('the create call of a message batch', () => {
  it('carries the token in every custom_id, as a hash where there is no room', async () => {
    const bench = await start();
    const wide = 'k'.repeat(32);
    const batch = await bench.submit(longToken, ['r-0', wide]);
    const results = await bench.collect(batch);
    expect(results.map(({ key }) => key).sort()).toEqual([wide, 'r-0']);
    const ids = results.map(({ raw }) => (JSON.parse(raw) as { custom_id: string }).custom_id).sort();
    expect(ids).toEqual([expect.stringMatching(/^k{32}_H[0-9a-f]{30}$/), `r-0_${longToken}`]);
  });

  it('says that a batch is too large, too long or has no place in the queue', async () => {
    const bench = await start({ max_bytes: 300 });
    expect(await failureOf(bench.submit('weir-a-1', keys(9)))).toMatchObject({
      kind: 'invalid_request',
      code: 'request_too_large',
      status: 413,
    });
    bench.server.configure({ max_bytes: 1e6, max_requests: 5 });
    expect((await failureOf(bench.submit('weir-a-1', keys(9)))).kind).toBe('invalid_request');
    bench.server.configure({ max_requests: 10, queue_limit: 5 });
    expect((await failureOf(bench.submit('weir-a-1', keys(9)))).kind).toBe('quota_full');
    bench.server.configure({ queue_limit: null, fail_with: 429, fail_on: 'create', retry_after: '9' });
    expect(await failureOf(bench.submit('weir-a-1', keys(9)))).toMatchObject({
      kind: 'rate_limited',
      retryAfterMs: 9000,
    });
    expect(bench.server.held()).toMatchObject({ created: 0, files: 0 });
    expect(bench.api.limits).toMatchObject({ lines: 100_000, bytes: 250_000_000 });
  });

  it('refuses options that it does not have', async () => {
    const bench = await start();
    const input = { ...bench.input('weir-a-1', [bench.line('r-0')]), options: { metadata: {} } };
    expect(await failureOf(bench.api.submit(input, bench.call()))).toMatchObject({
      param: 'provider_options.metadata',
    });
    expect(bench.server.calls.size).toBe(0);
  });

  it('sends its body while it is read, and no faster than it is taken', async () => {
    const { provider } = await startAnthropic().then((bench) => {
      cleanups.push(() => bench.server.stop());
      return bench;
    });
    const api = provider.batch;
    if (api === undefined) throw new Error('no batch service');
    const line = `${api.line('r-0', { endpoint: '/v1/chat/completions', model, body: JSON.stringify({ x: 'y'.repeat(1e6) }) })}\n`;
    const bytes = Buffer.from(line);
    let read = 0;
    let ahead = 0;
    let taken = 0;
    const input: ShardInput = {
      token: 'weir-a-1',
      endpoint: '/v1/chat/completions',
      model,
      lines: 50,
      bytes: bytes.length * 50,
      async *open() {
        for (let count = 0; count < 50; count += 1) {
          read += bytes.length;
          ahead = Math.max(ahead, read - taken);
          yield bytes;
        }
      },
      options: {},
    };
    /** Stands for the network: takes the body piece by piece. */
    const slow: typeof fetch = async (_url, init) => {
      const { body } = init ?? {};
      if (!(body instanceof ReadableStream)) throw new Error('not a stream');
      for await (const chunk of body as ReadableStream<Uint8Array>) taken += chunk.length;
      const created = { id: 'msgbatch_1', type: 'message_batch', processing_status: 'in_progress', request_counts: {} };
      return Response.json(created);
    };
    const http = createNodeHttpClient();
    cleanups.push(() => http.close());
    const call = { http, fetch: slow, timeoutMs: 5000, maxResponseBytes: 1e6, nowMs: 0, saved: async () => {} };
    expect(await api.submit(input, call)).toMatchObject({ id: 'msgbatch_1' });
    expect(taken).toBeGreaterThan(50e6);
    expect(ahead).toBeLessThan(4e6);
  });

  it('is not redirected, and keeps no copy of its body for that', async () => {
    const elsewhere = await start();
    const bench = await start({
      fail_on: 'create',
      fail_with: 307,
      location: `${elsewhere.server.url}/v1/messages/batches`,
    });
    const seen: RequestInit[] = [];
    const watching: typeof fetch = (url, init) => {
      seen.push(init ?? {});
      return fetch(url, init);
    };
    const input = bench.input('weir-a-1', [bench.line('r-0')]);
    const failure = await failureOf(bench.api.submit(input, { ...bench.call(), fetch: watching }));
    expect(failure).toMatchObject({ kind: 'bad_response', code: 'redirect_refused' });
    expect(elsewhere.server.calls.size).toBe(0);
    // With any other values Node's fetch tees the stream, and one branch of it is read by nobody.
    expect(seen).toMatchObject([{ redirect: 'error', window: null, body: expect.any(ReadableStream) }]);
  });

  it('reaches nobody when nobody is there', async () => {
    const bench = await start();
    await bench.server.crash();
    const failure = await failureOf(bench.submit('weir-a-1', ['r-0']));
    expect(failure).toMatchObject({ kind: 'connection', reachedProvider: false });
    const other = new Bench({ server: bench.server, provider: providerAt(bench.server.url) });
    await bench.server.restart();
    expect(await other.submit('weir-a-1', ['r-0'])).toMatchObject({ id: expect.stringMatching(/^msgbatch_/) });
  });
});
