import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { presentedSecret } from '../../src/http/auth.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

const unknownSecret = (letter: string) => `weir_${letter.repeat(43)}`;

describe('authentication', () => {
  it('takes the key from Authorization, api-key and x-api-key', async () => {
    const { secret } = await harness.makeKey();
    for (const headers of [{ authorization: `Bearer ${secret}` }, { 'api-key': secret }, { 'x-api-key': secret }]) {
      const answer = await harness.app.request('/v1/ledger/entries', { headers });
      expect(answer.status).toBe(200);
    }
  });

  it.each([
    ['Bearer one', 'one'],
    ['bearer  one', 'one'],
    ['Bearer   one', 'one'],
    ['Bearer one two', 'Bearer one two'],
    ['Bearer ', 'Bearer '],
    ['Basic one', 'Basic one'],
  ])('reads %j as the key %j', (authorization, secret) => {
    expect(presentedSecret((name) => (name === 'authorization' ? authorization : undefined))).toBe(secret);
  });

  it('asks for a key where there is none', async () => {
    const answer = await harness.send('GET', '/v1/ledger/entries', { key: null });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect((await errorOf(answer)).code).toBe('invalid_api_key');
  });

  it('gives unknown, revoked and malformed keys one and the same 401', async () => {
    const { id, secret } = await harness.makeKey();
    await harness.send('POST', `/v1/keys/${id}/revoke`);
    const bodies = [];
    for (const key of [unknownSecret('A'), secret, 'sk-not-ours', 'weir_short']) {
      const answer = await harness.send('GET', '/v1/ledger/entries', { key });
      expect(answer.status).toBe(401);
      bodies.push(await answer.text());
    }
    expect(new Set(bodies).size).toBe(1);
  });

  it('refuses other schemes than Bearer', async () => {
    const answer = await harness.send('GET', '/v1/ledger/entries', {
      key: null,
      headers: { authorization: 'Basic dXNlcjpwYXNz' },
    });
    expect(answer.status).toBe(401);
  });

  it('lets a revoked key work no longer, at once', async () => {
    const { id, secret } = await harness.makeKey();
    expect((await harness.send('GET', '/v1/ledger/entries', { key: secret })).status).toBe(200);
    expect((await harness.send('DELETE', `/v1/keys/${id}`)).status).toBe(200);
    expect((await harness.send('GET', '/v1/ledger/entries', { key: secret })).status).toBe(401);
  });

  it('notices within five seconds that another process revoked a key', async () => {
    const { id, secret } = await harness.makeKey();
    expect((await harness.send('GET', '/v1/ledger/entries', { key: secret })).status).toBe(200);
    await harness.deps.store.keys.revoke(id, 1);
    harness.time.nowMs += 5_000;
    expect((await harness.send('GET', '/v1/ledger/entries', { key: secret })).status).toBe(401);
  });

  it('keeps keys and providers for administrators', async () => {
    const { secret } = await harness.makeKey();
    for (const path of ['/v1/keys', '/v1/keys/key_x', '/v1/providers']) {
      const answer = await harness.send('GET', path, { key: secret });
      expect(answer.status).toBe(403);
      expect(await errorOf(answer)).toMatchObject({ type: 'permission_error', code: 'admin_required' });
    }
  });
});

describe('failed authentications', () => {
  it('are throttled after ten with one prefix, for a minute', async () => {
    for (let n = 0; n < 10; n += 1) {
      expect((await harness.send('GET', '/v1/keys', { key: unknownSecret('B') })).status).toBe(401);
    }
    const refused = await harness.send('GET', '/v1/keys', { key: unknownSecret('B') });
    expect(refused.status).toBe(429);
    const seconds = Number(refused.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect((await errorOf(refused)).type).toBe('rate_limit_error');
    harness.time.nowMs += seconds * 1000;
    expect((await harness.send('GET', '/v1/keys', { key: unknownSecret('B') })).status).toBe(401);
  });

  it('are throttled after a hundred from one address, but for keys that work', async () => {
    const { secret } = await harness.makeKey();
    for (let n = 0; n < 100; n += 1) {
      const key = unknownSecret('C').replace(/C{6}/, String(n).padStart(6, '0'));
      expect((await harness.send('GET', '/v1/keys', { key })).status).toBe(401);
    }
    expect((await harness.send('GET', '/v1/keys', { key: unknownSecret('D') })).status).toBe(429);
    expect((await harness.send('GET', '/v1/ledger/entries', { key: secret })).status).toBe(200);
    expect((await harness.send('GET', '/v1/keys')).status).toBe(200);
    const elsewhere = { key: unknownSecret('D'), headers: { 'cf-connecting-ip': '192.0.2.7' } };
    expect((await harness.send('GET', '/v1/keys', elsewhere)).status).toBe(401);
  });

  it('hold up nobody whose key begins alike', async () => {
    const { secret } = await harness.makeKey();
    const alike = secret.slice(0, -1) + (secret.endsWith('x') ? 'y' : 'x');
    const answers: number[] = [];
    for (let n = 0; n < 12; n += 1) answers.push((await harness.send('GET', '/v1/models', { key: alike })).status);
    expect(answers).toEqual([...Array<number>(10).fill(401), 429, 429]);
    expect((await harness.send('GET', '/v1/models', { key: secret })).status).toBe(200);
  });

  it('are looked up one at a time when they are throttled, and no more than some wait', async () => {
    const { secret } = await harness.makeKey();
    const { keys } = harness.deps.store;
    const find = keys.findByHash.bind(keys);
    for (let n = 0; n < 10; n += 1) await harness.send('GET', '/v1/keys', { key: unknownSecret('B') });
    const looks = { now: 0, most: 0, all: 0 };
    const gate = Promise.withResolvers<void>();
    keys.findByHash = async (hash) => {
      looks.all += 1;
      looks.most = Math.max(looks.most, ++looks.now);
      await gate.promise;
      looks.now -= 1;
      return find(hash);
    };
    const flood = Array.from({ length: 200 }, () => harness.send('GET', '/v1/keys', { key: unknownSecret('B') }));
    await expect.poll(() => looks.all).toBe(1);
    gate.resolve();
    expect(new Set((await Promise.all(flood)).map(({ status }) => status))).toEqual(new Set([429]));
    expect(looks).toEqual({ now: 0, most: 1, all: 64 });
    expect((await harness.send('GET', '/v1/models', { key: secret })).status).toBe(200);
  });

  it('never put a secret into the log', async () => {
    for (let n = 0; n < 120; n += 1) {
      await harness.send('GET', '/v1/keys', { key: `weir_${String(n).padStart(6, '0')}CANARYCANARY` });
    }
    expect(JSON.stringify(harness.log)).toContain('too many failed authentications');
    expect(JSON.stringify(harness.log)).not.toContain('CANARY');
  });
});
