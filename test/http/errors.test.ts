import { z } from '@hono/zod-openapi';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { invalidRequest } from '../../src/core/invalid-request.ts';
import type { StoreLedger } from '../../src/ports/store-ledger.ts';
import { metadataSchema } from '../../src/protocol/metadata.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

let harness: Harness;
const anEval = {
  data_source_config: { type: 'custom', item_schema: {} },
  testing_criteria: [{ type: 'string_check', name: 'g', input: 'a', reference: 'a', operation: 'eq' }],
};
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

describe('errors', () => {
  it('answers unknown paths with 404 and points at /v1 where that was left out', async () => {
    const unknown = await harness.send('GET', '/v1/nothing/here');
    expect(unknown.status).toBe(404);
    expect(await errorOf(unknown)).toMatchObject({ code: 'unknown_url', type: 'invalid_request_error' });
    expect((await errorOf(await harness.send('GET', '/keys'))).message).toContain('ends in /v1');
    expect((await errorOf(await harness.send('GET', '/v1/v1/keys'))).message).toContain('twice');
    expect((await errorOf(await harness.send('GET', '/dashboard/ledger'))).message).toContain('on Node.js');
  });

  it('answers a wrong method with 405 and names the right ones', async () => {
    const answer = await harness.send('PATCH', '/v1/keys');
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET, HEAD, POST');
    expect((await errorOf(answer)).code).toBe('method_not_allowed');
  });

  it('answers a body that is no JSON with 400, in any shape it comes', async () => {
    for (const body of ['{"name":', '', '\u0000', "{'name':'a'}"]) {
      const answer = await harness.send('POST', '/v1/keys', { body, headers: { 'content-type': 'application/json' } });
      expect(answer.status).toBe(400);
      expect((await errorOf(answer)).message).toContain('not valid JSON');
    }
  });

  it('refuses other types of body, compressed ones and large ones', async () => {
    const form = await harness.send('POST', '/v1/keys', {
      body: 'name=a',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(form.status).toBe(415);
    expect((await errorOf(form)).message).toContain('application/json');
    const zipped = await harness.send('POST', '/v1/keys', {
      json: { name: 'a' },
      headers: { 'content-encoding': 'gzip' },
    });
    expect(zipped.status).toBe(415);
    const large = await harness.send('POST', '/v1/keys', { json: { name: 'x'.repeat(1024 ** 2) } });
    expect(large.status).toBe(413);
    expect((await errorOf(large)).code).toBe('request_too_large');
  });

  it('says nothing of an unforeseen error but the request id, and logs it', async () => {
    const store = { ...harness.deps.store, ledger: failing<StoreLedger>('secret-connection-string') };
    const broken = await openHarness({ store });
    const answer = await broken.send('GET', '/v1/ledger/entries', { headers: { 'x-request-id': 'mine-1' } });
    expect(answer.status).toBe(500);
    const text = await answer.clone().text();
    expect(text).not.toContain('secret-connection-string');
    expect(await errorOf(answer)).toMatchObject({ type: 'server_error', message: expect.stringContaining('mine-1') });
    expect(broken.log).toContainEqual(
      expect.objectContaining({ level: 'error', fields: expect.objectContaining({ requestId: 'mine-1' }) }),
    );
    await broken.close();
  });

  it('says of a full disk that it is full, and when to come back', async () => {
    for (const words of ['ENOSPC: no space left on device, write', 'SqliteError: database or disk is full']) {
      const full = await openHarness({ store: { ...harness.deps.store, ledger: failing<StoreLedger>(words) } });
      const answer = await full.send('GET', '/v1/ledger/entries');
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '30']);
      expect(await errorOf(answer)).toMatchObject({ code: 'storage_full', message: expect.stringContaining('disk') });
      await full.close();
    }
  });

  it('gives every answer a request id, taken from the client only when it is harmless', async () => {
    const given = await harness.send('GET', '/healthz', { headers: { 'x-request-id': 'trace-1.a_B' } });
    expect(given.headers.get('x-request-id')).toBe('trace-1.a_B');
    for (const [path, id] of [
      ['/healthz', 'has space'],
      ['/nothing', 'x'.repeat(129)],
      ['/v1/keys', '<script>'],
    ] as const) {
      const answer = await harness.send('GET', path, { key: null, headers: { 'x-request-id': id } });
      expect(answer.headers.get('x-request-id')).toMatch(/^req_[0-9A-Za-z]{25}$/);
    }
  });

  it('sends security headers with every answer and never a CORS header', async () => {
    for (const path of ['/healthz', '/v1/keys', '/nothing', '/docs']) {
      const answer = await harness.send('GET', path, { headers: { origin: 'https://evil.example' } });
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  });

  it.each([
    ['/v1/batches', { input_file_id: 'f', endpoint: 'e', completion_window: '24h', confg: 'r' }, 'confg', 'config'],
    [
      '/v1/batches/estimate',
      { input_file_id: 'f', endpoint: 'e', completion_window: '24h', metdata: {} },
      'metdata',
      'metadata',
    ],
    [
      '/v1/uploads',
      { bytes: 1, filename: 'f', mime_type: 'm', purpose: 'batch', expire_after: {} },
      'expire_after',
      'expires_after',
    ],
    ['/v1/uploads/u/complete', { part_ids: ['p'], md_5: 'x' }, 'md_5', 'md5'],
    ['/v1/keys', { name: 'k', tenant: 'acme' }, 'tenant', 'tenant_id'],
    ['/v1/keys', { name: 'k', limits: { requests_per_minut: 1 } }, 'limits.requests_per_minut', 'requests_per_minute'],
    ['/v1/budgets', { period: 'day', limit_usd: '1', tenantid: 'acme' }, 'tenantid', 'tenant_id'],
    ['/v1/webhooks', { url: 'https://a.example', event_types: ['batch.completed'], nam: 'n' }, 'nam', 'name'],
    ['/v1/routes', { name: 'r', config: { provider: 'p' }, mode: 'm' }, 'mode', null],
    ['/v1/evals', { ...anEval, metadat: {} }, 'metadat', 'metadata'],
    [
      '/v1/prices',
      { provider: 'p', model: 'm', from: '2026-01-01', standard: { input: '1', output: '1' }, regon: 'r' },
      'regon',
      'region',
    ],
  ])(
    'POST %s refuses a member that it does not know, and names the one that was meant: %j',
    async (path, json, param, meant) => {
      const answer = await harness.send('POST', path, { json });
      expect(answer.status).toBe(400);
      const error = await errorOf(answer);
      expect(error).toMatchObject({ code: 'unknown_parameter', param, type: 'invalid_request_error' });
      expect(error.message).toContain(meant === null ? 'Remove it' : `Did you mean '${meant}'`);
    },
  );

  it('is not polluted by prototype names in bodies and queries', async () => {
    const body = '{"name":"a","__proto__":{"role":"admin"},"constructor":{"prototype":{"polluted":1}}}';
    const answer = await harness.send('POST', '/v1/keys', { body, headers: { 'content-type': 'application/json' } });
    expect(await errorOf(answer)).toMatchObject({ code: 'unknown_parameter', param: '__proto__' });
    await harness.send('GET', '/v1/keys?__proto__[polluted]=1&constructor=1');
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('validation messages', () => {
  const schema = z.object({
    input_file_id: z.string(),
    metadata: metadataSchema.nullish(),
    purpose: z.enum(['batch', 'evals', 'vision']).optional(),
    parts: z.array(z.string()).min(1).optional(),
    limit: z.number().int().max(100).optional(),
    config: z.union([z.string(), z.object({ mode: z.string() })]).optional(),
  });
  const refusal = (data: unknown) => {
    const { error } = schema.safeParse(data);
    if (error === undefined) throw new Error('accepted');
    return invalidRequest(error, data).toEnvelope().error;
  };
  const base = { input_file_id: 'file-1' };

  it.each([
    [{}, 'input_file_id', 'missing_required_parameter', "Missing required parameter: 'input_file_id'."],
    [
      { ...base, metadata: { tags: ['a'] } },
      'metadata.tags',
      'invalid_type',
      "Invalid type for 'metadata.tags': expected a string, but got an array instead.",
    ],
    [
      { input_file_id: null },
      'input_file_id',
      'invalid_type',
      "Invalid type for 'input_file_id': expected a string, but got null instead.",
    ],
    [
      { ...base, purpose: 'x' },
      'purpose',
      'invalid_value',
      "Invalid value for 'purpose': 'x'. Supported values are: 'batch', 'evals', and 'vision'.",
    ],
    [
      { ...base, parts: ['a', 7] },
      'parts[1]',
      'invalid_type',
      "Invalid type for 'parts[1]': expected a string, but got a number instead.",
    ],
    [{ ...base, parts: [] }, 'parts', 'invalid_value', "Invalid 'parts': expected at least 1 items, but got 0."],
    [
      { ...base, limit: 101 },
      'limit',
      'invalid_value',
      "Invalid 'limit': expected a value of at most 100, but got 101.",
    ],
    [
      { ...base, limit: 1.5 },
      'limit',
      'invalid_type',
      "Invalid type for 'limit': expected an integer, but got a decimal number instead.",
    ],
    [
      { ...base, config: [1] },
      'config',
      'invalid_type',
      "Invalid type for 'config': expected a string or an object, but got an array instead.",
    ],
    [
      { ...base, config: {} },
      'config.mode',
      'missing_required_parameter',
      "Missing required parameter: 'config.mode'.",
    ],
    [[1], null, 'invalid_type', 'Invalid type for the request: expected an object, but got an array instead.'],
  ])('%j', (data, param, code, message) => {
    expect(refusal(data)).toEqual({ message, type: 'invalid_request_error', param, code });
  });

  it('explains metadata that is too long or too much', () => {
    expect(refusal({ ...base, metadata: { ['k'.repeat(65)]: 'v' } }).message).toContain('at most 64 characters');
    expect(refusal({ ...base, metadata: { k: 'v'.repeat(513) } }).message).toContain(
      'at most 512 characters, but got 513',
    );
    const many = Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, 'v']));
    expect(refusal({ ...base, metadata: many })).toMatchObject({
      param: 'metadata',
      message: "Invalid 'metadata': at most 16 pairs are allowed.",
    });
  });
});

/** A part of the store of which every method rejects. */
function failing<T extends object>(message: string): T {
  return new Proxy({} as T, { get: () => () => Promise.reject(new Error(message)) });
}
