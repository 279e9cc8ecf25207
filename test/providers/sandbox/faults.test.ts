import { request } from 'undici';
import { expect, test } from 'vitest';
import type { SimulatedServer } from '../../../providers/sandbox/servers/openai-compatible.ts';
import { chat, endedRequests, post, postChat, until, withServer } from './calls.ts';

/** What became of the n requests sent one after another. */
async function outcomes(server: SimulatedServer, count: number): Promise<string[]> {
  const found: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const response = await postChat(server, `question ${index}`).catch(() => null);
    const text = await response?.text().catch(() => null);
    if (!response) found.push('reset');
    else if (typeof text !== 'string') found.push(`${response.status} cut`);
    else
      found.push(
        response.status !== 200 || text.endsWith('}}') ? `${response.status}` : `${response.status} unreadable`,
      );
  }
  return found;
}

test.each([429, 500, 503] as const)('rate_%i answers with that status and an error body', async (status) => {
  await withServer({ [`rate_${status}`]: 1 }, async (server) => {
    const response = await postChat(server, 'x');
    expect(response.status).toBe(status);
    expect(response.headers.get('retry-after')).toBeNull();
    expect(await response.json()).toMatchObject({ error: { message: expect.any(String), type: expect.any(String) } });
    expect(server.counters.by_status).toEqual(new Map([[status, 1]]));
    expect(server.counters.tokens_out).toBe(0);
  });
});

test('the flat error shape carries the status as its code', async () => {
  await withServer({ rate_500: 1, error_shape: 'flat' }, async (server) => {
    expect(await (await postChat(server, 'x')).json()).toMatchObject({ object: 'error', code: 500, param: null });
  });
});

test('rate_reset resets the connection before any answer', async () => {
  await withServer({ rate_reset: 1 }, async (server) => {
    const failure = request(`${server.baseUrl}/chat/completions`, { method: 'POST', body: JSON.stringify(chat('x')) });
    await expect(failure).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(server.counters).toMatchObject({ received: 1, resets: 1, lost_tokens_out: 0 });
  });
});

test('rate_reset_mid_body sends the headers and half of the body, then resets, whole or streaming', async () => {
  await withServer({ rate_reset_mid_body: 1 }, async (server) => {
    for (const stream of [false, true]) {
      const body = JSON.stringify(chat('x', { stream }));
      const response = await request(`${server.baseUrl}/chat/completions`, { method: 'POST', body });
      expect(response.statusCode).toBe(200);
      let received = 0;
      const read = async () => {
        for await (const chunk of response.body) received += (chunk as Buffer).length;
      };
      await expect(read()).rejects.toMatchObject({ code: 'ECONNRESET' });
      expect(received).toBeGreaterThan(50);
    }
    expect(server.counters).toMatchObject({ received: 2, resets_mid_body: 2, tokens_out: 0, running: 0 });
    expect(server.counters.lost_tokens_out).toBeGreaterThan(0);
    expect(server.counters.by_status.size).toBe(0);
  });
});

test('rate_slow_body drips a complete answer', async () => {
  await withServer({ rate_slow_body: 1, slow_body_ms: 200 }, async (server) => {
    const started = performance.now();
    const response = await postChat(server, 'x');
    expect(await response.json()).toMatchObject({ object: 'chat.completion' });
    expect(performance.now() - started).toBeGreaterThan(150);
    expect(server.counters).toMatchObject({ slow_bodies: 1 });
    expect(server.counters.tokens_out).toBeGreaterThan(0);
  });
});

test('rate_hang never answers and holds its slot until the client gives up', async () => {
  await withServer({ rate_hang: 1, slots: 1 }, async (server) => {
    const failure = request(`${server.baseUrl}/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(chat('x')),
      headersTimeout: 100,
    });
    await until(() => server.counters.hangs === 1);
    expect(server.counters.running).toBe(1);
    await expect(failure).rejects.toMatchObject({ code: 'UND_ERR_HEADERS_TIMEOUT' });
    await until(() => server.counters.running === 0);
    server.configure({ rate_hang: 0 });
    expect((await postChat(server, 'x')).status).toBe(200);
    expect(server.counters).toMatchObject({ hangs: 1, client_aborts: 0 });
  });
});

test('rate_bad_json answers 200 with HTML, half of the JSON or nothing', async () => {
  await withServer({ rate_bad_json: 1, bad_json: 'html' }, async (server) => {
    const html = await postChat(server, 'x');
    expect([html.status, html.headers.get('content-type')]).toEqual([200, 'text/html']);
    expect(await html.text()).toContain('<html>');
    server.configure({ bad_json: 'truncated' });
    const truncated = await (await postChat(server, 'x')).text();
    expect(truncated).toContain('chatcmpl-');
    expect(() => JSON.parse(truncated)).toThrow(SyntaxError);
    server.configure({ bad_json: 'empty' });
    expect(await (await postChat(server, 'x')).text()).toBe('');
    expect(server.counters).toMatchObject({ bad_json: 3, tokens_out: 0 });
    server.configure({ bad_json: 'any' });
    const texts = await Promise.all(Array.from({ length: 30 }, async () => (await postChat(server, 'x')).text()));
    expect(new Set(texts).size).toBe(3);
  });
});

test('every form of retry-after is sent as configured', async () => {
  await withServer({ rate_429: 1, retry_after_seconds: 3 }, async (server) => {
    const headers = async (form: SimulatedServer['settings']['retry_after']) => {
      server.configure({ retry_after: form });
      const response = await postChat(server, 'x');
      return [response.headers.get('retry-after'), response.headers.get('retry-after-ms')];
    };
    expect(await headers('absent')).toEqual([null, null]);
    expect(await headers('seconds')).toEqual(['3', null]);
    expect(await headers('milliseconds')).toEqual([null, '3000']);
    expect(await headers('negative')).toEqual(['-5', null]);
    expect(await headers('huge')).toEqual(['1000000000', null]);
    const [date] = await headers('http_date');
    const wait = Date.parse(date ?? '') - Date.now();
    expect(wait).toBeGreaterThan(500);
    expect(wait).toBeLessThanOrEqual(3000);
  });
});

test('fail_after and fail_until bound the requests that fail', async () => {
  await withServer({ fail_after: 2, fail_until: 4, fail_with: 503 }, async (server) => {
    expect(await outcomes(server, 6)).toEqual(['200', '200', '503', '503', '200', '200']);
    server.configure({ fail_after: null, fail_until: 2, fail_with: 'reset' });
    server.reset();
    expect(await outcomes(server, 3)).toEqual(['reset', 'reset', '200']);
    server.configure({ fail_after: 1, fail_until: null, fail_with: 'bad_json' });
    server.reset();
    expect(await outcomes(server, 3)).toEqual(['200', '200 unreadable', '200 unreadable']);
  });
});

test('poison always fails the requests that contain it, whatever else is configured', async () => {
  const poison = [
    { contains: 'arsenic', fail_with: 400 },
    { contains: 'cyanide', fail_with: 500 },
    { contains: 'hemlock', fail_with: 'reset' as const },
  ];
  await withServer({ poison, rate_429: 0.5 }, async (server) => {
    for (let round = 0; round < 5; round += 1) {
      expect((await postChat(server, `some arsenic ${round}`)).status).toBe(400);
      expect((await postChat(server, `some cyanide ${round}`)).status).toBe(500);
      await expect(postChat(server, `some hemlock ${round}`)).rejects.toThrow();
    }
    expect(server.counters.by_status).toEqual(
      new Map([
        [400, 5],
        [500, 5],
      ]),
    );
  });
});

test('rates hold on average, repeat with the seed, and every request is counted once', async () => {
  const rates = {
    rate_429: 0.1,
    rate_500: 0.05,
    rate_503: 0.05,
    rate_reset: 0.05,
    rate_reset_mid_body: 0.05,
    rate_bad_json: 0.05,
  };
  await withServer({ ...rates, seed: 11 }, async (server) => {
    const first = await outcomes(server, 400);
    expect(endedRequests(server.counters)).toBe(400);
    expect(server.counters.by_status.get(429)).toBeGreaterThan(20);
    expect(server.counters.by_status.get(429)).toBeLessThan(65);
    for (const cut of ['resets', 'resets_mid_body', 'bad_json'] as const) {
      expect(server.counters[cut]).toBeGreaterThan(6);
      expect(server.counters[cut]).toBeLessThan(40);
    }
    server.reset();
    expect(await outcomes(server, 400)).toEqual(first);
    server.configure({ seed: 12 });
    server.reset();
    expect(await outcomes(server, 400)).not.toEqual(first);
  });
});

test('options that cannot hold are refused by name and change nothing', async () => {
  await withServer({ rate_429: 0.4 }, async (server) => {
    expect(() => server.configure({ rate_500: 0.7 })).toThrow(/fault rates add up to/);
    expect(() => server.configure({ slots: 0 })).toThrow(/^slots: /);
    expect(() => server.configure({ latency_ms: { min: 5, max: 1 } })).toThrow(/latency_ms/);
    expect(() => server.configure({ rate_4299: 1 } as object)).toThrow(/rate_4299/);
    expect(server.settings).toMatchObject({ rate_429: 0.4, rate_500: 0, slots: null });
  });
});

test('in a storm of faults, queueing and clients that give up, every request is counted exactly once', async () => {
  const rates = {
    rate_429: 0.1,
    rate_500: 0.1,
    rate_reset: 0.1,
    rate_reset_mid_body: 0.1,
    rate_slow_body: 0.1,
    rate_hang: 0.05,
  };
  const load = { slots: 8, queue: 40, latency_ms: { min: 0, max: 4 }, slow_body_ms: 20 };
  await withServer({ ...rates, ...load, rate_bad_json: 0.1, rate_abort: 0.1 }, async (server) => {
    const ask = async (index: number) => {
      const signal = AbortSignal.timeout(index % 4 === 0 ? 5 : 500);
      const response = await post(server, '/v1/chat/completions', chat(`q${index}`, { stream: index % 3 === 0 }), {
        signal,
      });
      await response.text();
    };
    const client = async (first: number) => {
      for (let index = first; index < first + 12; index += 1) await ask(index).catch(() => undefined);
    };
    await Promise.all(Array.from({ length: 60 }, (_, number) => client(number * 12)));
    const { counters } = server;
    await until(() => counters.running === 0 && counters.waiting === 0);
    expect(endedRequests(counters)).toBe(counters.received);
    expect(counters.received).toBeGreaterThan(300);
    expect(counters.max_running).toBe(8);
    for (const end of ['resets', 'resets_mid_body', 'hangs', 'client_aborts'] as const)
      expect([end, counters[end] > 0]).toEqual([end, true]);
    for (const status of [200, 429, 500]) expect(counters.by_status.get(status)).toBeGreaterThan(0);
  });
});
