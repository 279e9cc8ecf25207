import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createNodeHttpClient } from '../../providers/shared/http-node.ts';
import { modelListSchema, providerListSchema } from '../../src/protocol/route.ts';
import { type ModelServer, makeProvider, startModelServer } from '../services/model-server.ts';
import { ADMIN_SECRET, errorOf, type Harness, openHarness } from './harness.ts';

const CANARY = 'sk-canary-of-the-provider';

let harness: Harness;
let server: ModelServer;
let http: ReturnType<typeof createNodeHttpClient>;

beforeEach(async () => {
  server = await startModelServer(['org/large', 'common']);
  http = createNodeHttpClient();
  harness = await openHarness({
    http,
    providers: new Map([
      makeProvider('pool', { kind: 'vllm', base_urls: [server.url], api_key: CANARY, limits: { concurrency: 7 } }),
      makeProvider('sim', { kind: 'sandbox', models: ['small', 'common', 'mini', 'pool/odd'] }),
    ]),
    configRoutes: new Map([['mini', { provider: 'sim', model: 'small' }]]),
  });
});
afterEach(async () => {
  await Promise.all([harness.close(), http.close(), server.close()]);
});

const ids = async (key = ADMIN_SECRET) => {
  const answer = await harness.send('GET', '/v1/models', { key });
  return modelListSchema.parse(await answer.json()).data.map((model) => `${model.id} by ${model.owned_by}`);
};

describe('/v1/models', () => {
  it('lists routes, provider/model, and bare names that mean one thing', async () => {
    expect(await ids()).toEqual([
      'mini by weir',
      'pool/org/large by pool',
      'pool/common by pool',
      'sim/small by sim',
      'sim/common by sim',
      'sim/mini by sim',
      'sim/pool/odd by sim',
      'org/large by pool',
      'small by sim',
    ]);
  });

  it("shows a tenant its own routes and nobody else's", async () => {
    const { secret } = await harness.makeKey({ tenant_id: 'acme' });
    const json = { name: 'mine', config: { provider: 'sim', model: 'small' } };
    await harness.send('POST', '/v1/routes', { key: secret, json });
    expect(await ids(secret)).toContain('mine by weir');
    expect(await ids()).not.toContain('mine by weir');
  });

  it.each(['/v1', '/batching/v1'])('works with the official SDK at %s, for names with slashes too', async (base) => {
    const client = new OpenAI({
      apiKey: ADMIN_SECRET,
      baseURL: `http://weir.test${base}`,
      fetch: (url, init) => Promise.resolve(harness.app.request(url as string | URL, init)),
    });
    const listed: string[] = [];
    for await (const model of client.models.list()) listed.push(model.id);
    expect(listed).toHaveLength(9);
    for (const id of listed) expect((await client.models.retrieve(id)).id).toBe(id);
    await expect(client.models.retrieve('smal')).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
    expect((await harness.send('GET', '/v1/models/sim/small')).status).toBe(200);
  });

  it('answers unknown names with close ones', async () => {
    const answer = await harness.send('GET', '/v1/models/org%2Flarg');
    expect(answer.status).toBe(404);
    expect((await errorOf(answer)).message).toContain("Did you mean 'org/large'");
  });

  it('still lists the others when a provider does not answer', async () => {
    server.status = 500;
    expect(await ids()).toEqual([
      'mini by weir',
      'sim/small by sim',
      'sim/common by sim',
      'sim/mini by sim',
      'sim/pool/odd by sim',
      'small by sim',
      'common by sim',
    ]);
  });
});

describe('/v1/providers', () => {
  it('shows an administrator what is known, and no secret', async () => {
    const answer = await harness.send('GET', '/v1/providers');
    const text = await answer.text();
    expect(text).not.toContain(CANARY);
    expect(text).not.toContain(server.url);
    const [pool, sim] = providerListSchema.parse(JSON.parse(text)).data;
    expect(pool).toMatchObject({
      object: 'provider',
      name: 'pool',
      kind: 'vllm',
      models: ['org/large', 'common'],
      models_from: 'provider',
      models_error: null,
      limits: { concurrency: 7, requests_per_minute: null, tokens_per_minute: null },
      health: 'unknown',
      in_flight: 0,
      calls_waiting: 0,
      batch_open: true,
      members: [expect.objectContaining({ health: 'unknown', breaker: 'closed', load: null })],
    });
    expect(pool?.endpoints).toContain('/v1/embeddings');
    expect(sim).toMatchObject({ name: 'sim', models_from: 'config' });
  });

  it('says why a list is missing, without the key', async () => {
    server.status = 500;
    const answer = await harness.send('GET', '/v1/providers');
    const text = await answer.text();
    expect(providerListSchema.parse(JSON.parse(text)).data[0]).toMatchObject({
      models: [],
      models_from: 'unknown',
      models_error: expect.any(String),
    });
    expect(text + JSON.stringify(harness.log)).not.toContain(CANARY);
  });

  it('is for administrators', async () => {
    const { secret } = await harness.makeKey();
    expect((await harness.send('GET', '/v1/providers', { key: secret })).status).toBe(403);
  });
});
