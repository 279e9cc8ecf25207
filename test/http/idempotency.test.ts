import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../src/core/api-error.ts';
import type { AppEnv } from '../../src/http/env.ts';
import { handleError } from '../../src/http/errors.ts';
import { idempotency } from '../../src/http/idempotency.ts';
import { createMultipartDigest } from '../../src/http/multipart-digest.ts';
import { ADMIN_SECRET, errorOf, type Harness, openHarness } from './harness.ts';

let harness: Harness;
let app: Hono<AppEnv>;
let runs: string[];
/** What the probe does next. */
let behave: (() => Response | Promise<Response>) | null;

beforeEach(async () => {
  harness = await openHarness();
  runs = [];
  behave = null;
  app = probeApp();
});
afterEach(() => harness.close());

/** The middleware around a route that makes ids. */
function probeApp(): Hono<AppEnv> {
  const probe = new Hono<AppEnv>();
  probe.onError(handleError(harness.deps));
  probe.use(async (c, next) => {
    c.set('requestId', 'req_test');
    c.set('context', {
      actor: { tenantId: c.req.header('tenant') ?? 'default', keyId: null, role: 'user' },
      newId: (prefix) => `${prefix}${Math.random()}`,
      signal: c.req.raw.signal,
    });
    await next();
  });
  probe.use(idempotency(harness.deps));
  probe.all('/v1/things', async (c) => {
    const context = c.get('context');
    const ids = [context.newId('batch_'), context.newId('batch_'), context.newId('file-')];
    runs.push(ids.join());
    if (behave !== null) return behave();
    return c.json({ ids, body: await c.req.text() }, 200);
  });
  return probe;
}

const post = (key: string, body: string, headers: Record<string, string> = {}, path = '/v1/things') =>
  app.request(path, { method: 'POST', body, headers: { 'idempotency-key': key, ...headers } });

describe('a repeated POST with its Idempotency-Key', () => {
  it('gets the first answer again, and nothing is done twice', async () => {
    const first = await post('k1', '{"a":1}');
    expect(first.headers.has('idempotent-replayed')).toBe(false);
    const again = await post('k1', '{"a":1}');
    expect(again.status).toBe(200);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(await again.text()).toBe(await first.text());
    expect(runs).toHaveLength(1);
  });

  it('is refused when body, path, query or route differ', async () => {
    await post('k2', '{"a":1}');
    const others = [
      await post('k2', '{"a":2}'),
      await post('k2', '{"a":1}', {}, '/v1/things?x=1'),
      await post('k2', '{"a":1}', { 'x-weir-config': 'other' }),
      await post('k2', '{"a":1}', {}, '/v1/other'),
    ];
    for (const answer of others) {
      expect(answer.status).toBe(409);
      expect((await errorOf(answer)).code).toBe('idempotency_key_reused');
    }
    expect(runs).toHaveLength(1);
  });

  it('is its own in every tenant', async () => {
    await post('k3', '{}', { tenant: 'a' });
    expect((await post('k3', '{"other":1}', { tenant: 'b' })).status).toBe(200);
    expect(runs).toHaveLength(2);
  });

  it('is told to wait while the first run goes on', async () => {
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<Response>();
    behave = () => {
      started.resolve();
      return finish.promise;
    };
    const first = post('k4', '{}');
    await started.promise;
    const second = await post('k4', '{}');
    expect(second.status).toBe(409);
    expect(second.headers.get('retry-after')).toBe('1');
    expect((await errorOf(second)).code).toBe('idempotency_key_in_use');
    finish.resolve(Response.json({ done: true }));
    expect((await first).status).toBe(200);
    expect((await post('k4', '{}')).headers.get('idempotent-replayed')).toBe('true');
    expect(runs).toHaveLength(1);
  });

  it('is told to wait for as long as the first run takes, however much longer than a lease', async () => {
    harness.deps.settings = { ...harness.deps.settings, leaseSeconds: 0.03 };
    app = probeApp();
    const prolonged = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<Response>();
    const { idempotency: keys } = harness.deps.store;
    const renew = keys.renew.bind(keys);
    keys.renew = async (...claim) => {
      const isHeld = await renew(...claim);
      prolonged.resolve();
      return isHeld;
    };
    behave = () => {
      harness.time.nowMs += 100_000;
      return finish.promise;
    };
    const first = post('k8', '{}');
    await prolonged.promise;
    expect((await post('k8', '{}')).status).toBe(409);
    finish.resolve(Response.json({ done: true }));
    expect((await first).status).toBe(200);
    expect(runs).toHaveLength(1);
  });

  it('runs again after an error of ours, with the same ids', async () => {
    for (const failure of [
      () => Promise.reject(new Error('disk full')),
      () => Response.json({ error: {} }, { status: 503 }),
      () => Promise.reject(new ApiError(429, 'later')),
    ]) {
      behave = failure;
      expect((await post('k5', '{}')).status).toBeGreaterThanOrEqual(429);
    }
    behave = null;
    expect((await post('k5', '{}')).status).toBe(200);
    expect(runs).toHaveLength(4);
    expect(new Set(runs).size).toBe(1);
  });

  it('gets a refusal of its own making again', async () => {
    behave = () => Promise.reject(new ApiError(400, 'bad', { code: 'invalid_value', param: 'x' }));
    const first = await post('k6', '{}');
    behave = null;
    const again = await post('k6', '{}');
    expect(again.status).toBe(400);
    expect(await again.json()).toEqual(await first.json());
  });

  it('makes the same ids when the server died on the way, once the lock is over', async () => {
    const crashing = Promise.withResolvers<Response>();
    const started = Promise.withResolvers<void>();
    behave = () => {
      started.resolve();
      return crashing.promise;
    };
    // A run that never ends is what a killed server leaves behind.
    const lost = post('k7', '{}');
    await started.promise;
    behave = null;
    expect((await post('k7', '{}')).status).toBe(409);
    harness.time.nowMs += 61_000;
    const rerun = await post('k7', '{}');
    expect(rerun.status).toBe(200);
    expect(runs).toHaveLength(2);
    expect(runs[0]).toBe(runs[1]);
    crashing.resolve(Response.json({}));
    await lost;
  });

  it('has one answer, when another run took over and was first', async () => {
    const [started, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<Response>()];
    behave = () => {
      started.resolve();
      return finish.promise;
    };
    const slow = post('k11', '{}');
    await started.promise;
    harness.time.nowMs += 61_000;
    behave = () => Response.json({ by: 'the second' });
    const second = await post('k11', '{}');
    expect(await second.json()).toEqual({ by: 'the second' });
    finish.resolve(Response.json({ by: 'the first' }, { headers: { 'x-made-by': 'the first' } }));
    const first = await slow;
    expect(await first.json()).toEqual({ by: 'the second' });
    expect([first.headers.get('idempotent-replayed'), first.headers.get('x-made-by')]).toEqual(['true', null]);
  });

  it('is not freed by an earlier run that another took over from', async () => {
    const runs = [Promise.withResolvers<Response>(), Promise.withResolvers<Response>()];
    let begun = 0;
    behave = () => (runs[begun++] as (typeof runs)[0]).promise;
    const first = post('k12', '{}');
    await expect.poll(() => begun).toBe(1);
    harness.time.nowMs += 61_000;
    const second = post('k12', '{}');
    await expect.poll(() => begun).toBe(2);
    runs[0]?.resolve(Response.json({}, { status: 503 }));
    expect((await first).status).toBe(503);
    expect((await post('k12', '{}')).status).toBe(409);
    runs[1]?.resolve(Response.json({ done: true }));
    expect((await second).status).toBe(200);
  });

  it('makes unguessable ids, each different', async () => {
    const answer = (await (await post('k8', '{}')).json()) as { ids: string[] };
    expect(answer.ids[0]).toMatch(/^batch_[0-9A-Za-z]{25}$/);
    expect(new Set(answer.ids).size).toBe(3);
    const other = (await (await post('k9', '{}')).json()) as { ids: string[] };
    expect(other.ids).not.toContain(answer.ids[0]);
  });

  it('must have a key of 1 to 255 printable characters', async () => {
    for (const key of ['', 'x'.repeat(256), 'caf\u00e9']) {
      const answer = await post(key, '{}');
      expect(answer.status).toBe(400);
      expect((await errorOf(answer)).param).toBe('Idempotency-Key');
    }
    expect((await post('x'.repeat(255), '{}')).status).toBe(200);
  });

  it('means nothing on other methods', async () => {
    for (let n = 0; n < 2; n += 1) {
      const answer = await app.request('/v1/things', { method: 'GET', headers: { 'idempotency-key': 'k10' } });
      expect(answer.headers.has('idempotent-replayed')).toBe(false);
    }
    expect(runs).toHaveLength(2);
  });
});

describe('a repeated upload', () => {
  const form = (content: string) => {
    const data = new FormData();
    data.append('purpose', 'batch');
    data.append('file', new Blob([content]), 'in.jsonl');
    return data;
  };
  const upload = (origin: string, key: string, content: string) =>
    fetch(`${origin}/v1/files`, {
      method: 'POST',
      body: form(content),
      headers: { authorization: `Bearer ${ADMIN_SECRET}`, 'idempotency-key': key },
    });

  it('gets the first answer for the same form and 409 for another, over HTTP', async () => {
    const server = serve({ fetch: harness.app.fetch, port: 0, hostname: '127.0.0.1' });
    await new Promise((resolve) => server.once('listening', resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const line = (id: string) =>
        `{"custom_id":"${id}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[]}}\n`;
      const content = Array.from({ length: 20_000 }, (_, n) => line(`r-${n}`)).join('');
      const first = await upload(origin, 'u1', content);
      expect(first.status).toBe(200);
      const again = await upload(origin, 'u1', content);
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect(await again.json()).toEqual(await first.json());
      const other = await upload(origin, 'u1', content + line('r-more'));
      expect(other.status).toBe(409);
      expect((await errorOf(other)).code).toBe('idempotency_key_reused');
      const files = (await (await harness.send('GET', '/v1/files')).json()) as { data: unknown[] };
      expect(files.data).toHaveLength(1);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('is given a refusal again without comparing what was not read', async () => {
    const bad = () =>
      harness.send('POST', '/v1/files', { body: form('not json at all'), headers: { 'idempotency-key': 'u2' } });
    const first = await bad();
    expect(first.status).toBe(400);
    const again = await bad();
    expect(again.status).toBe(400);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(await again.json()).toEqual(await first.json());
  });
});

describe('the hash of a form', () => {
  const body = (boundary: string, content: string) =>
    Buffer.from(`--${boundary}\r\nname="file"\r\n\r\n${content}\r\n--${boundary}--\r\n`);
  const digestOf = (boundary: string, bytes: Uint8Array, step: number) => {
    const digest = createMultipartDigest(`multipart/form-data; boundary=${boundary}`);
    for (let at = 0; at < bytes.length; at += step) digest?.update(bytes.subarray(at, at + step));
    return digest?.value();
  };

  it('is the same wherever the chunks are cut and whatever the boundary', () => {
    const expected = digestOf('aaa', body('aaa', 'content with -- and --aa in it'), 1_000);
    for (let step = 1; step < 60; step += 1) {
      expect(digestOf('aaa', body('aaa', 'content with -- and --aa in it'), step)).toBe(expected);
      expect(digestOf('zz9-zz', body('zz9-zz', 'content with -- and --aa in it'), step)).toBe(expected);
    }
  });

  it('differs with the content, and with where a part ends', () => {
    const one = digestOf('b', body('b', 'x'), 7);
    expect(digestOf('b', body('b', 'y'), 7)).not.toBe(one);
    expect(digestOf('b', body('b', ''), 7)).not.toBe(one);
    expect(digestOf('b', body('b', 'x\r\n--b\r\n'), 7)).not.toBe(one);
  });

  it('is of multipart bodies only', () => {
    expect(createMultipartDigest('application/json')).toBeUndefined();
    expect(createMultipartDigest('multipart/form-data')).toBeUndefined();
    expect(createMultipartDigest('multipart/form-data; boundary="a b"')).toBeDefined();
  });
});
