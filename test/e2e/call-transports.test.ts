import { Agent, request } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ADMIN_KEY, type Pools, startPools, startWeir, type Weir } from './weir.ts';

let pools: Pools;
let weir: Weir;
let limitedKey: string;

beforeAll(async () => {
  pools = await startPools([
    { models: ['m'] },
    { models: ['m'], rate_429: 1, retry_after: 'milliseconds', retry_after_seconds: 0.05 },
    { models: ['m'], rate_bad_json: 1, bad_json: 'html' },
  ]);
  const providers = pools.servers.map(({ baseUrl }, index) => [
    `p${index}`,
    { kind: 'vllm', base_urls: [baseUrl], models: ['m'], price: { input: 1, output: 2 }, limits: { concurrency: 32 } },
  ]);
  const once = { attempts: 1, on_status_codes: [429] };
  weir = await startWeir({
    providers: Object.fromEntries(providers),
    routes: {
      busy: { strategy: { mode: 'single' }, targets: [{ provider: 'p1', model: 'm' }], retry: once },
      broken: { strategy: { mode: 'single' }, targets: [{ provider: 'p2', model: 'm' }], retry: once },
      cached: {
        strategy: { mode: 'single' },
        targets: [{ provider: 'p0', model: 'm' }],
        cache: { mode: 'simple', max_age: 3_600 },
      },
    },
  });
  const limits = { requests_per_minute: 1_000, tokens_per_minute: 1_000_000 };
  const made = { name: 'limited', role: 'user', limits };
  limitedKey = (await weir.call<{ secret: string }>('/v1/keys', { method: 'POST', body: JSON.stringify(made) })).secret;
});

afterAll(async () => {
  await weir?.stop();
  await pools?.stop();
});

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

/** As it was asked, with nothing added but what HTTP needs. */
function send(path: string, headers: Record<string, string>, body: string, agent?: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(`${weir.url}${path}`, { method: 'POST', headers, agent }, (answer) => {
      answer.setEncoding('utf8');
      let text = '';
      answer.on('data', (piece: string) => {
        text += piece;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: { ...answer.headers }, body: text }));
      answer.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** How HTTP frames an answer is each transport's own affair, and so are times and ids. */
const FRAMING = ['date', 'connection', 'keep-alive', 'transfer-encoding', 'content-length'];

function comparable({ status, headers, body }: Answer): Answer {
  const kept = Object.entries(headers).filter(([name]) => !FRAMING.includes(name) && !name.includes('ratelimit-re'));
  const names = kept.map(([name]) => name).toSorted();
  const stable = body
    .replaceAll(/"(id|item_id)":"[^"]*"/g, '"$1":"…"')
    .replaceAll(/"(created|created_at|completed_at)":[\d.]+/g, '"$1":0');
  return { status, headers: { names, ...Object.fromEntries(kept) }, body: stable };
}

const CHAT = '/v1/chat/completions';
const MESSAGES = [{ role: 'user', content: 'What is 2 + 2?' }];
const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });
const own = bearer(ADMIN_KEY);
const chat = (more: object): string => JSON.stringify({ model: 'p0/m', messages: MESSAGES, ...more });

const CASES: [what: string, status: number, path: string, headers: Record<string, string>, body: string][] = [
  ['a chat', 200, CHAT, own, chat({ metadata: { team: 'blue' } })],
  ['a chat with a limited key', 200, CHAT, {}, chat({})],
  ['a key in api-key', 200, CHAT, { 'api-key': ADMIN_KEY }, chat({})],
  ['a key in x-api-key', 200, CHAT, { 'x-api-key': ADMIN_KEY }, chat({})],
  ['a stream', 200, CHAT, own, chat({ stream: true, stream_options: { include_usage: true } })],
  ['a completion', 200, '/v1/completions', own, JSON.stringify({ model: 'p0/m', prompt: 'Two and two is' })],
  ['embeddings', 200, '/v1/embeddings', own, JSON.stringify({ model: 'p0/m', input: 'four' })],
  ['a response', 200, '/v1/responses', own, JSON.stringify({ model: 'p0/m', input: 'four' })],
  ['a moderation', 200, '/v1/moderations', own, JSON.stringify({ model: 'p0/m', input: 'four' })],
  ['a route in a header', 200, CHAT, { ...own, 'x-weir-config': 'cached' }, chat({})],
  ['a kept answer', 200, CHAT, { ...own, 'x-portkey-config': 'cached' }, chat({})],
  ['a refreshed answer', 200, CHAT, { ...own, 'x-weir-config': 'cached', 'x-weir-cache': 'refresh' }, chat({})],
  ['no such key', 401, CHAT, bearer('weir_0000000000000000000000000000000000000000000'), chat({})],
  ['no key of ours', 401, CHAT, bearer('sk-other'), chat({})],
  ['no JSON', 400, CHAT, own, '{"model":'],
  ['no body', 400, CHAT, own, ''],
  ['no object', 400, CHAT, own, '[1]'],
  ['no model', 400, CHAT, own, JSON.stringify({ messages: MESSAGES })],
  ['no messages', 400, CHAT, own, JSON.stringify({ model: 'p0/m' })],
  ['an unknown model', 404, CHAT, own, chat({ model: 'nothing-of-ours' })],
  ['an unknown route', 400, CHAT, { ...own, 'x-weir-config': 'nowhere' }, chat({})],
  ['bad metadata', 400, CHAT, own, chat({ metadata: { a: 1 } })],
  ['bad metadata in a header', 400, CHAT, { ...own, 'x-portkey-metadata': '{' }, chat({})],
  ['a bad cache header', 400, CHAT, { ...own, 'x-weir-cache': 'maybe' }, chat({})],
  ['a number too large', 400, CHAT, own, chat({}).replace('}]', '}],"n":1e400')],
  ['a background response', 400, '/v1/responses', own, JSON.stringify({ model: 'p0/m', input: 'x', background: true })],
  ['a parameter that chooses the server', 400, CHAT, own, chat({ base_url: 'http://other' })],
  ['a server with no room', 429, CHAT, own, chat({ model: 'busy' })],
  ['a server that answers HTML', 502, CHAT, own, chat({ model: 'broken' })],
];

it.each(CASES)('both ways to a call answer the same: %s', async (_what, status, path, headers, body) => {
  const all = {
    'content-type': 'application/json',
    'x-request-id': 'the-same',
    ...(Object.keys(headers).length === 0 ? bearer(limitedKey) : headers),
  };
  // The first fills the cache where there is one.
  await send(path, all, body);
  const direct = await send(path, all, body);
  // What the short way does not take goes through the whole application.
  const whole = await send(path, { ...all, 'content-encoding': 'identity' }, body);
  expect(direct.status).toBe(status);
  expect(comparable(direct)).toEqual(comparable(whole));
});

it('calls of one connection are each judged by their own key, also after one that worked', async () => {
  const made = { name: 'to be revoked', role: 'user' };
  const { id, secret } = await weir.call<{ id: string; secret: string }>('/v1/keys', {
    method: 'POST',
    body: JSON.stringify(made),
  });
  // A proxy's connection: one for all who come through it.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const statusOf = async (key: string): Promise<number> => (await send(CHAT, bearer(key), chat({}), agent)).status;
  try {
    expect(await statusOf(secret)).toBe(200);
    expect(await statusOf(`${secret.slice(0, -1)}${secret.endsWith('0') ? '1' : '0'}`)).toBe(401);
    expect(await statusOf(secret)).toBe(200);
    expect((await send(CHAT, bearer(limitedKey), chat({}), agent)).headers).toHaveProperty(
      'x-ratelimit-limit-requests',
    );
    expect(await statusOf(secret.slice(0, -1))).toBe(401);
    expect(await statusOf(ADMIN_KEY)).toBe(200);
    expect(await statusOf(secret)).toBe(200);
    await weir.call(`/v1/keys/${id}/revoke`, { method: 'POST' });
    expect(await statusOf(secret)).toBe(401);
    expect(Object.keys(agent.freeSockets)).toHaveLength(1);
  } finally {
    agent.destroy();
  }
});

it('calls are counted alike, whichever way they came', async () => {
  const count = async (): Promise<number> => {
    const text = await (await fetch(`${weir.url}/metrics`, { headers: own })).text();
    const line = text.split('\n').find((each) => /^weir_http_requests_total\{.*moderations.*"200"/.test(each));
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  const body = JSON.stringify({ model: 'p0/m', input: 'four' });
  const before = await count();
  await send('/v1/moderations', own, body);
  expect(await count()).toBe(before + 1);
  await send('/v1/moderations', { ...own, 'content-encoding': 'identity' }, body);
  expect(await count()).toBe(before + 2);
});
