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

  it('are throttled after a hundred from one address, but for keys that worked before', async () => {
    const { secret } = await harness.makeKey();
    const late = await harness.makeKey();
    expect((await harness.send('GET', '/v1/ledger/entries', { key: secret })).status).toBe(200);
    for (let n = 0; n < 100; n += 1) {
      const key = unknownSecret('C').replace(/C{6}/, String(n).padStart(6, '0'));
      expect((await harness.send('GET', '/v1/keys', { key })).status).toBe(401);
    }
    expect((await harness.send('GET', '/v1/keys', { key: unknownSecret('D') })).status).toBe(429);
    expect((await harness.send('GET', '/v1/ledger/entries', { key: late.secret })).status).toBe(429);
    expect((await harness.send('GET', '/v1/ledger/entries', { key: secret })).status).toBe(200);
    expect((await harness.send('GET', '/v1/keys')).status).toBe(200);
    const elsewhere = await harness.send('GET', '/v1/ledger/entries', {
      key: late.secret,
      headers: { 'cf-connecting-ip': '192.0.2.7' },
    });
    expect(elsewhere.status).toBe(200);
  });

  it('never put a secret into the log', async () => {
    for (let n = 0; n < 120; n += 1) {
      await harness.send('GET', '/v1/keys', { key: `weir_${String(n).padStart(6, '0')}CANARYCANARY` });
    }
    expect(JSON.stringify(harness.log)).toContain('too many failed authentications');
    expect(JSON.stringify(harness.log)).not.toContain('CANARY');
  });
});
