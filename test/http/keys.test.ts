import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyCreatedSchema, keyPageSchema, keySchema } from '../../src/protocol/key.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

describe('/v1/keys', () => {
  it('creates a key for the default tenant and shows its secret once', async () => {
    const answer = await harness.send('POST', '/v1/keys', { json: { name: 'ci' } });
    expect(answer.status).toBe(200);
    const key = keyCreatedSchema.parse(await answer.json());
    expect(key.secret).toMatch(/^weir_[0-9A-Za-z]{43}$/);
    expect(key).toMatchObject({ name: 'ci', role: 'user', tenant_id: 'default', revoked_at: null });
    expect(key.secret.startsWith(key.prefix)).toBe(true);
    const list = await (await harness.send('GET', '/v1/keys')).text();
    expect(list).not.toContain(key.secret);
    expect(JSON.stringify(harness.log)).not.toContain(key.secret);
  });

  it('creates keys for any tenant, which then see only their own', async () => {
    const { secret } = await harness.makeKey({ tenant_id: 'acme' });
    expect((await harness.send('GET', '/v1/ledger/entries?tenant_id=acme', { key: secret })).status).toBe(200);
    expect((await harness.send('GET', '/v1/ledger/entries?tenant_id=default', { key: secret })).status).toBe(403);
  });

  it('pages through the keys, newest first', async () => {
    for (let n = 0; n < 3; n += 1) {
      await harness.makeKey();
      harness.time.nowMs += 1000;
    }
    const first = keyPageSchema.parse(await (await harness.send('GET', '/v1/keys?limit=2')).json());
    expect(first.data).toHaveLength(2);
    expect(first).toMatchObject({ has_more: true, last_id: first.data[1]?.id });
    const rest = keyPageSchema.parse(
      await (await harness.send('GET', `/v1/keys?limit=2&after=${first.last_id}`)).json(),
    );
    expect(rest.data).toHaveLength(1);
    expect(rest.has_more).toBe(false);
    const times = [...first.data, ...rest.data].map((key) => key.created_at);
    expect(times).toEqual([...times].sort((a, b) => b - a));
    expect((await harness.send('GET', '/v1/keys?after=key_none')).status).toBe(404);
  });

  it('lists the keys of one tenant, page by page', async () => {
    const made: string[] = [];
    for (const tenant_id of ['acme', 'other', 'acme', 'other', 'acme']) {
      made.push((await harness.makeKey({ tenant_id })).id);
    }
    const ids = async (query: string) =>
      keyPageSchema.parse(await (await harness.send('GET', `/v1/keys?${query}`)).json()).data.map(({ id }) => id);
    expect(await ids('tenant_id=acme&limit=2')).toEqual([made[4], made[2]]);
    expect(await ids(`tenant_id=acme&limit=2&after=${made[2]}`)).toEqual([made[0]]);
    expect(await ids('tenant_id=none')).toEqual([]);
    expect(await ids('tenant_id=*')).toEqual([...made].reverse());
    expect(await ids('')).toEqual([...made].reverse());
    expect((await harness.send('GET', `/v1/keys?tenant_id=acme&after=${made[1]}`)).status).toBe(404);
  });

  it('revokes by DELETE and by POST, keeping the first time', async () => {
    const { id } = await harness.makeKey();
    const first = keySchema.parse(await (await harness.send('DELETE', `/v1/keys/${id}`)).json());
    harness.time.nowMs += 60_000;
    const second = keySchema.parse(await (await harness.send('POST', `/v1/keys/${id}/revoke`)).json());
    expect(first.revoked_at).toBe(1_790_000_000);
    expect(second.revoked_at).toBe(1_790_000_000);
    expect((await harness.send('DELETE', '/v1/keys/key_none')).status).toBe(404);
  });

  it('does not let a key revoke itself', async () => {
    const { id, secret } = await harness.makeKey({ role: 'admin' });
    expect((await harness.send('DELETE', `/v1/keys/${id}`, { key: secret })).status).toBe(409);
    expect((await harness.send('GET', '/v1/keys', { key: secret })).status).toBe(200);
  });

  it('refuses bad names, roles and tenants by name', async () => {
    const cases: [unknown, string, string][] = [
      [{}, 'name', 'missing_required_parameter'],
      [{ name: '' }, 'name', 'invalid_value'],
      [{ name: 'a', role: 'root' }, 'role', 'invalid_value'],
      [{ name: 'a', tenant_id: '../x' }, 'tenant_id', 'invalid_value'],
      [{ name: 7 }, 'name', 'invalid_type'],
    ];
    for (const [json, param, code] of cases) {
      const answer = await harness.send('POST', '/v1/keys', { json });
      expect(answer.status).toBe(400);
      expect(await errorOf(answer)).toMatchObject({ param, code });
    }
  });

  /** The answer that is lost is neither sent nor remembered. */
  async function createAndLose(headers: Record<string, string>) {
    const { idempotency } = harness.deps.store;
    const finish = idempotency.finish.bind(idempotency);
    idempotency.finish = () => Promise.reject(new Error('killed'));
    const lost = await harness.send('POST', '/v1/keys', { json: { name: 'once' }, headers });
    idempotency.finish = finish;
    harness.time.nowMs += 1_000 * (harness.deps.settings.leaseSeconds + 1);
    return keyCreatedSchema.parse(await lost.json());
  }

  it('makes one key, with the secret of the answer that came, where the first answer was lost on its way', async () => {
    const headers = { 'idempotency-key': 'make-a-key' };
    const lost = await createAndLose(headers);
    const changed = await harness.send('POST', `/v1/keys/${lost.id}`, { json: { name: 'twice' } });
    expect(changed.status).toBe(200);
    const answer = await harness.send('POST', '/v1/keys', { json: { name: 'once' }, headers });
    const { secret, ...shown } = keyCreatedSchema.parse(await answer.json());
    expect(shown).toEqual({ ...keySchema.parse(await changed.json()), prefix: secret.slice(0, 11) });
    const page = keyPageSchema.parse(await (await harness.send('GET', '/v1/keys')).json());
    expect(page.data).toEqual([shown]);
    const statuses = [secret, lost.secret].map(async (key) => (await harness.send('GET', '/v1/files', { key })).status);
    expect(await Promise.all(statuses)).toEqual([200, 401]);
    const again = await harness.send('POST', '/v1/keys', { json: { name: 'once' }, headers });
    expect(await again.json()).toEqual(shown);
    expect((await harness.send('GET', '/v1/files', { key: secret })).status).toBe(200);
  });

  it('does not bring back a key that was revoked after its answer was lost', async () => {
    const headers = { 'idempotency-key': 'make-a-key' };
    const lost = await createAndLose(headers);
    await harness.send('DELETE', `/v1/keys/${lost.id}`);
    const answer = await harness.send('POST', '/v1/keys', { json: { name: 'once' }, headers });
    expect(answer.status).toBe(409);
    expect(await errorOf(answer)).toMatchObject({ code: 'key_revoked', message: expect.stringContaining(lost.id) });
    expect(await harness.deps.store.keys.count()).toBe(1);
  });

  it('tells a repeated call of the key, but not of its secret', async () => {
    const headers = { 'idempotency-key': 'make-a-key' };
    const first = await harness.send('POST', '/v1/keys', { json: { name: 'once' }, headers });
    const { secret, ...shown } = keyCreatedSchema.parse(await first.json());
    const again = await harness.send('POST', '/v1/keys', { json: { name: 'once' }, headers });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(await again.json()).toEqual(shown);
    const row = await harness.deps.store.idempotency.claim(
      { tenantId: 'default', key: 'make-a-key', fingerprint: '', seed: '', status: null, body: null, createdAt: 0 },
      0,
      0,
    );
    expect(row.state).toBe('done');
    expect(JSON.stringify(row)).not.toContain(secret);
  });
});
