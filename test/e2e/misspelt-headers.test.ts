import { once } from 'node:events';
import { request } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ADMIN_KEY, type Pools, splitConfig, startPools, startWeir, type Weir } from './weir.ts';

let pools: Pools;
let weir: Weir;

beforeAll(async () => {
  pools = await startPools([{ models: ['gpt-4o-mini'] }]);
  weir = await startWeir(splitConfig([pools.servers[0]?.baseUrl ?? ''], [1]));
});

afterAll(async () => {
  await weir.stop();
  await pools.stop();
});

const CALL = JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }] });

async function post(path: string, headers: Record<string, string>, body = CALL) {
  const own = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };
  const sent = request(`${weir.url}${path}`, { method: 'POST', headers: { ...own, ...headers } });
  sent.end(body);
  const [answer] = await once(sent, 'response');
  const text = Buffer.concat(await answer.toArray()).toString('utf8');
  return { status: answer.statusCode, error: (JSON.parse(text) as { error?: object }).error };
}

const LENGTH = { 'content-length': String(CALL.length) };
const CHUNKS = { 'transfer-encoding': 'chunked' };

it.each([
  ['a call', '/v1/chat/completions', LENGTH],
  ['a call in chunks', '/v1/chat/completions', CHUNKS],
  ['a call under a key', '/v1/chat/completions', { ...LENGTH, 'idempotency-key': 'k' }],
  ['a batch', '/v1/batches', LENGTH],
  ['a parked call', '/batching/v1/chat/completions', LENGTH],
])('a misspelt header of %s is refused, as the request would go elsewhere', async (_, path, headers) => {
  const { status, error } = await post(path, { ...headers, 'X-Weir-Confg': 'split' });
  expect(status).toBe(400);
  expect(error).toMatchObject({
    code: 'unknown_parameter',
    param: 'x-weir-confg',
    message: "Unknown header: 'x-weir-confg'. Did you mean 'x-weir-config'?",
  });
  expect(pools.servers[0]?.counters.received).toBe(0);
});

it.each([LENGTH, CHUNKS])('headers of other requests are ignored, and those of calls are read: %j', async (headers) => {
  const known = { 'x-weir-config': 'split', 'x-weir-priority': '1', 'x-weird': 'yes' };
  expect((await post('/v1/chat/completions', { ...headers, ...known })).status).toBe(200);
});
