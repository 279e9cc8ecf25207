import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashSecret } from '../../src/services/keys/secret.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

const OWN = { 'x-weir-dashboard': '1', 'sec-fetch-site': 'same-origin' };

async function signIn(key?: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await harness.send('POST', '/v1/session', { headers, ...(key === undefined ? {} : { key }) });
  expect(answer.status).toBe(200);
  return answer.headers.get('set-cookie') ?? '';
}

const tokenOf = (setCookie: string) => setCookie.split(';')[0] ?? '';

async function ask(cookie: string, headers: Record<string, string> = OWN, method = 'GET', path = '/v1/session') {
  return harness.send(method, path, { key: null, headers: { cookie, ...headers } });
}

describe('/v1/session', () => {
  it('gives a key’s holder a cookie that only the API is sent, that scripts cannot see and other sites never send', async () => {
    const cookie = await signIn();
    expect(cookie).toMatch(/^weir_session=[0-9A-Za-z]{43}; Max-Age=43200; Path=\/v1; HttpOnly; SameSite=Strict$/);
    expect(await signIn(undefined, { 'x-forwarded-proto': 'https' })).toMatch(/; Secure/);
  });

  it('stores no token and logs none', async () => {
    const token = tokenOf(await signIn()).split('=')[1] ?? '';
    expect(await harness.deps.store.sessions.find(token, 0)).toBeNull();
    expect(await harness.deps.store.sessions.find(hashSecret(token), 0)).toMatchObject({ role: 'admin' });
    expect(JSON.stringify(harness.log)).not.toContain(token);
  });

  it('lets a session do what its key may, and no more', async () => {
    const { id, secret } = await harness.makeKey({ tenant_id: 'acme' });
    const cookie = tokenOf(await signIn(secret));
    expect(await (await ask(cookie)).json()).toMatchObject({ role: 'user', tenant_id: 'acme', key_id: id });
    expect((await ask(cookie, OWN, 'GET', '/v1/keys')).status).toBe(403);
    expect((await ask(cookie, OWN, 'GET', '/v1/ledger/summary?tenant_id=default')).status).toBe(403);
    expect((await ask(cookie, OWN, 'GET', '/v1/ledger/summary')).status).toBe(200);
  });

  it('takes no cookie from another site, from a form, or without the dashboard’s header', async () => {
    const cookie = tokenOf(await signIn());
    const refused: [Record<string, string>, string][] = [
      [{}, 'GET'],
      [{ 'x-weir-dashboard': '1', 'sec-fetch-site': 'cross-site' }, 'GET'],
      [{ 'x-weir-dashboard': '1', 'sec-fetch-site': 'same-site' }, 'GET'],
      [{ 'x-weir-dashboard': '1', origin: 'http://evil.example' }, 'DELETE'],
      [{ 'x-weir-dashboard': '1', origin: 'null' }, 'DELETE'],
      [{ 'sec-fetch-site': 'same-origin' }, 'DELETE'],
      [{ 'sec-fetch-site': 'none' }, 'GET'],
    ];
    for (const [headers, method] of refused) {
      const answer = await ask(cookie, headers, method);
      expect([headers, method, answer.status]).toEqual([headers, method, 401]);
    }
    expect((await ask(cookie, { 'x-weir-dashboard': '1', origin: 'http://localhost' })).status).toBe(200);
    // A download link of the dashboard carries no header of its own.
    expect((await ask(cookie, { 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  });

  it('ends on sign-out, after twelve hours, when its key is revoked, and when the operator’s key is changed', async () => {
    const out = tokenOf(await signIn());
    const cleared = await ask(out, OWN, 'DELETE');
    expect(cleared.headers.get('set-cookie')).toMatch(/^weir_session=; Max-Age=0; Path=\/v1/);
    expect((await errorOf(await ask(out))).code).toBe('session_ended');

    const { id, secret } = await harness.makeKey();
    const revoked = tokenOf(await signIn(secret));
    expect((await ask(revoked)).status).toBe(200);
    await harness.send('POST', `/v1/keys/${id}/revoke`);
    expect((await ask(revoked)).status).toBe(401);

    const late = tokenOf(await signIn());
    harness.time.nowMs += 12 * 3_600_000 - 1000;
    expect((await ask(late)).status).toBe(200);
    harness.time.nowMs += 1000;
    expect((await ask(late)).status).toBe(401);

    const changed = tokenOf(await signIn());
    harness.deps.adminKeyHash = hashSecret('another');
    expect((await ask(changed)).status).toBe(401);
  });

  it('is made with a key only, which is throttled as everywhere', async () => {
    const cookie = tokenOf(await signIn());
    expect((await ask(cookie, OWN, 'POST')).status).toBe(401);
    const statuses = [];
    for (let attempt = 0; attempt < 11; attempt += 1) {
      statuses.push((await harness.send('POST', '/v1/session', { key: `weir_${'x'.repeat(43)}` })).status);
    }
    expect(statuses).toEqual([...Array(10).fill(401), 429]);
    expect((await ask(`weir_session=${'x'.repeat(43)}`)).status).toBe(401);
    expect((await ask('weir_session=short')).status).toBe(401);
  });
});
