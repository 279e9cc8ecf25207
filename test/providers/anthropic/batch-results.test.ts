import { describe, expect, it } from 'vitest';
import { failureOf, keys, start } from './batch-bench.ts';

describe('the results of a message batch', () => {
  it('are read for succeeded, errored, canceled and expired requests alike', async () => {
    const bench = await start({ hold: 'half' });
    const lines = keys(6).map((key) => bench.line(key, undefined, key === 'r-1' ? { user: 'x' } : {}));
    // A request that only fails when it runs: its params are not looked at before.
    lines[1] = (lines[1] ?? '').replace('"max_tokens":99', '"max_tokens":0');
    const batch = await bench.api.submit(bench.input('weir-a-1', lines), bench.call());
    bench.server.expire();
    expect(await bench.api.poll(batch, bench.call())).toMatchObject({
      state: 'ended',
      reason: 'expired',
      counts: { total: 6, succeeded: 2, failed: 4 },
    });
    const results = new Map((await bench.collect(batch)).map(({ key, result }) => [key, result]));
    expect([...results.keys()].sort()).toEqual(keys(6));
    expect(results.get('r-0')).toMatchObject({ ok: true, usage: { input_tokens: expect.any(Number) }, warnings: [] });
    expect(results.get('r-1')).toMatchObject({
      ok: false,
      failure: { kind: 'invalid_request', status: 400, reachedProvider: true },
    });
    expect(results.get('r-5')).toMatchObject({
      ok: false,
      failure: { kind: 'expired', reachedProvider: false },
      usage: null,
    });
  });

  it('say so when the credit ran out', async () => {
    const errored_message = 'Your credit balance is too low to access the Anthropic API.';
    const bench = await start({ rate_errored: 1, errored_type: 'invalid_request_error', errored_message });
    const [only] = await bench.collect(await bench.submit('weir-a-1', ['r-0']));
    expect(only).toMatchObject({ key: 'r-0', result: { ok: false, failure: { kind: 'quota_exhausted' } } });
  });

  it.each(['overloaded_error', 'api_error', 'rate_limit_error', 'timeout_error'])(
    'let a request that met %s be sent again',
    async (errored_type) => {
      const bench = await start({ rate_errored: 1, errored_type });
      const [only] = await bench.collect(await bench.submit('weir-a-1', ['r-0']));
      const kinds = {
        overloaded_error: 'overloaded',
        api_error: 'server_error',
        rate_limit_error: 'rate_limited',
        timeout_error: 'timeout',
      };
      expect(only?.result).toMatchObject({ ok: false, failure: { kind: kinds[errored_type as keyof typeof kinds] } });
    },
  );

  it('come in the shape of the endpoint that was asked', async () => {
    const bench = await start();
    const input = bench.input('weir-a-1', [bench.line('r-0', '/v1/responses')], '/v1/responses');
    const [only] = await bench.collect(await bench.api.submit(input, bench.call()));
    if (!only?.result.ok) throw new Error('failed');
    expect(JSON.parse(only.result.body)).toMatchObject({ object: 'response', status: 'completed' });
  });

  it('are not fetched with the key from anywhere but the configured origin', async () => {
    const elsewhere = await start();
    for (const results_origin of [
      elsewhere.server.url,
      'https://api.anthropic.com.evil.example',
      'http://user@127.0.0.1',
      'data:,x',
    ]) {
      const bench = await start({ results_origin });
      const batch = await bench.submit('weir-a-1', ['r-0']);
      expect(await failureOf(bench.collect(batch))).toMatchObject({
        kind: 'bad_response',
        code: 'results_url_refused',
      });
    }
    expect(elsewhere.server.calls.size).toBe(0);
  });

  it('are gone after 29 days, which is no success', async () => {
    const bench = await start();
    const batch = await bench.submit('weir-a-1', ['r-0']);
    bench.server.configure({ archived: true });
    const progress = await bench.api.poll(batch, bench.call());
    expect(progress).toMatchObject({ state: 'failed', failure: { code: 'results_expired' } });
    expect((await failureOf(bench.collect(batch))).code).toBe('results_expired');
  });

  it('that stay incomplete are an error, after what there is', async () => {
    const bench = await start();
    const batch = await bench.submit('weir-a-1', keys(20));
    let downloads = 0;
    const cutting: typeof fetch = async (url, init) => {
      const response = await fetch(url, init);
      if (!String(url).endsWith('/results')) return response;
      downloads += 1;
      const lines = (await response.text()).split('\n');
      return new Response(
        lines
          .slice(0, 5 + downloads)
          .map((line) => `${line}\n`)
          .join(''),
      );
    };
    const seen: (string | null)[] = [];
    const reading = (async () => {
      for await (const { key } of bench.api.results(batch, { ...bench.call(), fetch: cutting })) seen.push(key);
    })();
    expect(await failureOf(reading)).toMatchObject({ kind: 'bad_response', code: 'results_incomplete' });
    // Each download brings one line more; none is handed on twice.
    expect(downloads).toBe(3);
    expect(new Set(seen).size).toBe(8);
    expect(seen).toHaveLength(8);
    expect(await bench.collect(batch)).toHaveLength(20);
  });

  it('never lead to a redirect with the key', async () => {
    const elsewhere = await start();
    const bench = await start();
    const batch = await bench.submit('weir-a-1', ['r-0']);
    bench.server.configure({ fail_with: 307, fail_on: 'results', location: `${elsewhere.server.url}/v1/models` });
    expect((await failureOf(bench.collect(batch))).code).toBe('redirect_refused');
    bench.server.configure({ fail_on: 'retrieve' });
    expect((await failureOf(bench.api.poll(batch, bench.call()))).code).toBe('redirect_refused');
    expect(elsewhere.server.calls.size).toBe(0);
  });
});
