import { afterEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../src/core/api-error.ts';
import { completeLimits } from '../../src/core/key-budget.ts';
import { steadyMs } from '../../src/ports/clock.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createKeyLimiter } from '../../src/services/keys/limiter.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

const LINE = JSON.stringify({
  custom_id: 'a',
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model: 'p/m', messages: [{ role: 'user', content: 'hi' }] },
});

describe('limits of keys', () => {
  let harness: Harness;
  afterEach(() => harness.close());

  async function upload(key: string, content = LINE): Promise<Response> {
    const body = new FormData();
    body.set('purpose', 'batch');
    body.set('file', new Blob([content]), 'input.jsonl');
    return harness.send('POST', '/v1/files', { key, body });
  }

  async function create(key: string, file: string): Promise<Response> {
    return harness.send('POST', '/v1/batches', {
      key,
      json: { input_file_id: file, endpoint: '/v1/chat/completions', completion_window: 'immediate' },
    });
  }

  async function uploaded(key: string): Promise<string> {
    return ((await (await upload(key)).json()) as { id: string }).id;
  }

  it('are set at creation, shown, and changed or taken off later', async () => {
    harness = await openHarness();
    const made = await harness.makeKey({ limits: { requests_per_minute: 60, storage_bytes: null } });
    const unlimited = {
      tokens_per_minute: null,
      concurrent_batches: null,
      batches_per_minute: null,
      cache_seconds: null,
    };
    const stated = { requests_per_minute: 60, storage_bytes: null, ...unlimited };
    expect(made).toMatchObject({ limits: stated });
    const path = `/v1/keys/${made.id}`;
    const changed = await harness.send('POST', path, { json: { limits: { storage_bytes: 5 } } });
    expect(await changed.json()).toMatchObject({
      name: 'test',
      limits: { ...stated, requests_per_minute: null, storage_bytes: 5 },
    });
    const renamed = await harness.send('POST', path, { json: { name: 'new' } });
    expect(await renamed.json()).toMatchObject({ name: 'new', limits: { storage_bytes: 5 } });
    const off = await harness.send('POST', path, { json: { limits: null } });
    expect(await off.json()).toMatchObject({ limits: { storage_bytes: null } });
    expect((await harness.send('POST', '/v1/keys/key_none', { json: { name: 'x' } })).status).toBe(404);
    expect((await harness.send('POST', path, { key: made.secret, json: { limits: null } })).status).toBe(403);
  });

  it('are refused by name when they are no limits', async () => {
    harness = await openHarness();
    for (const [limits, param] of [
      [{ requests_per_minute: 0 }, 'limits.requests_per_minute'],
      [{ tokens_per_minute: 1.5 }, 'limits.tokens_per_minute'],
      [{ request_per_minute: 5 }, 'limits.request_per_minute'],
    ] as const) {
      const answer = await harness.send('POST', '/v1/keys', { json: { name: 'a', limits } });
      expect(answer.status).toBe(400);
      expect((await errorOf(answer)).param).toBe(param);
    }
  });

  it('bound the batches of a key that have not ended, also when many are created at once', async () => {
    harness = await openHarness();
    const { secret } = await harness.makeKey({ limits: { concurrent_batches: 2 } });
    const file = await uploaded(secret);
    const answers = await Promise.all(Array.from({ length: 6 }, () => create(secret, file)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 429, 429, 429, 429]);
    const refused = answers.find(({ status }) => status === 429)!;
    expect(refused.headers.get('retry-after')).toBe('30');
    expect(await errorOf(refused)).toMatchObject({ code: 'too_many_batches', type: 'rate_limit_error' });
    const other = await harness.makeKey({ limits: { concurrent_batches: 1 } });
    expect((await create(other.secret, file)).status).toBe(200);
  });

  it('bound how many batches a key creates in a minute', async () => {
    harness = await openHarness();
    const { secret } = await harness.makeKey({ limits: { batches_per_minute: 2 } });
    const file = await uploaded(secret);
    const statuses = [];
    for (let count = 0; count < 3; count++) statuses.push((await create(secret, file)).status);
    expect(statuses).toEqual([200, 200, 429]);
    harness.time.nowMs += 30_000;
    expect((await create(secret, file)).status).toBe(200);
  });

  it('bound what the files and uploads of a key store, and make room again when files go', async () => {
    harness = await openHarness();
    const { secret } = await harness.makeKey({ limits: { storage_bytes: LINE.length * 2 } });
    const file = await uploaded(secret);
    const tooMuch = await upload(secret, `${LINE}\n${LINE.replace('"a"', '"b"')}`);
    expect(tooMuch.status).toBe(413);
    const error = await errorOf(tooMuch);
    expect(error.code).toBe('storage_quota_exceeded');
    expect(error.message).toContain(`room for ${LINE.length} bytes`);
    const parts = (bytes: number) =>
      harness.send('POST', '/v1/uploads', {
        key: secret,
        json: { filename: 'a', purpose: 'batch', mime_type: 'text/plain', bytes },
      });
    expect((await parts(LINE.length + 1)).status).toBe(413);
    expect((await parts(LINE.length)).status).toBe(200);
    expect((await upload(secret)).status).toBe(413);
    await harness.send('DELETE', `/v1/files/${file}`, { key: secret });
    expect((await upload(secret)).status).toBe(200);
  });

  it('come from the config where a key states none, and bind no admin key', async () => {
    harness = await openHarness();
    const defaults = completeLimits({ requests_per_minute: 1, tokens_per_minute: 50 });
    const limiter = createKeyLimiter({ store: harness.deps.store, clock: harness.deps.clock }, defaults);
    const keyOf = async (input: object) => (await harness.makeKey(input)).id;
    const plain = await keyOf({});
    const admission = await limiter.admit(plain, 10);
    expect(admission.headers).toMatchObject({
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-remaining-tokens': '40',
    });
    const admit = async () => limiter.admit(plain, 10);
    const refusal = await admit().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ApiError);
    expect(refusal).toMatchObject({ status: 429, retryAfterSeconds: 60, code: 'rate_limit_exceeded' });
    expect((refusal as ApiError).headers).toMatchObject({ 'x-ratelimit-limit-requests': '1' });

    const own = await keyOf({ limits: { requests_per_minute: 2 } });
    await limiter.admit(own, 10);
    const second = await limiter.admit(own, 10);
    second.settle(40);
    expect((await limiter.budget(own))?.headers(steadyMs(harness.deps.clock))).toMatchObject({
      'x-ratelimit-limit-requests': '2',
      'x-ratelimit-remaining-tokens': '0',
    });

    const admin = await keyOf({ role: 'admin' });
    for (let count = 0; count < 5; count++) await limiter.admit(admin, 1_000);
    for (let count = 0; count < 5; count++) await limiter.admit(null, 1_000);
  });

  it('take effect within seconds when another process changes them', async () => {
    harness = await openHarness({ clock: { ...systemClock, micros: () => harness.time.nowMs * 1000 } });
    const { id } = await harness.makeKey();
    const other = createKeyLimiter({ store: harness.deps.store, clock: harness.deps.clock }, completeLimits(null));
    const budget = await other.budget(id);
    await harness.send('POST', `/v1/keys/${id}`, { json: { limits: { requests_per_minute: 7 } } });
    harness.time.nowMs += 3_000;
    expect(await other.budget(id)).toBe(budget);
    expect(budget?.stated.requests_per_minute).toBe(7);
  });
});
