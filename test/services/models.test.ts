import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createNodeHttpClient } from '../../providers/shared/http-node.ts';
import { createLaneAssigner } from '../../src/core/routing.ts';
import type { Deps } from '../../src/ports/deps.ts';
import { discoverModels } from '../../src/services/models/discover.ts';
import { resolveFor } from '../../src/services/models/resolve.ts';
import { type Harness, openHarness } from '../http/harness.ts';
import { type ModelServer, makeProvider, startModelServer } from './model-server.ts';

let harness: Harness;
let server: ModelServer;
let http: ReturnType<typeof createNodeHttpClient>;

beforeEach(async () => {
  server = await startModelServer(['served-a', 'served-b']);
  http = createNodeHttpClient();
  harness = await openHarness({
    http,
    providers: new Map([
      makeProvider('listed', { kind: 'vllm', base_urls: ['http://127.0.0.1:9/v1'], models: ['named'] }),
      // The first member refuses connections: the other speaks for the pool.
      makeProvider('pool', { kind: 'vllm', base_urls: ['http://127.0.0.1:9/v1', server.url] }),
    ]),
  });
});
afterEach(async () => {
  await Promise.all([harness.close(), http.close(), server.close()]);
});

function passSeconds(seconds: number): void {
  harness.time.nowMs += seconds * 1000;
}

async function assign(model: string, changes: Partial<Parameters<typeof resolveFor>[1]> = {}): Promise<string> {
  const query = { tenantId: 'default', batchRoute: null, metadata: null, models: [model], ...changes };
  const assigner = createLaneAssigner(await resolveFor(harness.deps, query));
  const lane = assigner.lanes[assigner.assign({ model, endpoint: '/v1/chat/completions', bytes: 1 })];
  if (lane?.kind === 'refuse') return lane.failure.message;
  return lane?.candidates.map((candidate) => `${candidate.provider}/${candidate.model}`).join(' ') ?? '';
}

describe('discovery of models', () => {
  it('takes what the operator listed without asking, and asks the others', async () => {
    const lists = await discoverModels(harness.deps);
    expect(lists.get('listed')).toEqual({ models: ['named'], error: null });
    expect(lists.get('pool')).toMatchObject({ models: ['served-a', 'served-b'], error: null });
    expect(server.asked).toBe(1);
  });

  it('asks again only when the list is old', async () => {
    await discoverModels(harness.deps);
    server.models = ['new'];
    passSeconds(harness.deps.settings.modelListSeconds - 1);
    expect((await discoverModels(harness.deps)).get('pool')?.models).toEqual(['served-a', 'served-b']);
    passSeconds(2);
    expect((await discoverModels(harness.deps)).get('pool')?.models).toEqual(['new']);
    expect(server.asked).toBe(2);
  });

  it('keeps an older list when a provider stops answering, and says so', async () => {
    await discoverModels(harness.deps);
    server.status = 500;
    passSeconds(harness.deps.settings.modelListSeconds + 1);
    const list = (await discoverModels(harness.deps)).get('pool');
    expect(list?.models).toEqual(['served-a', 'served-b']);
    expect(list?.error).toEqual(expect.any(String));
    expect(harness.log.filter((line) => line.level === 'warn')).toHaveLength(1);
  });

  it('leaves a provider that failed alone for a moment, then asks again', async () => {
    server.status = 500;
    expect((await discoverModels(harness.deps)).get('pool')?.models).toBeNull();
    await discoverModels(harness.deps);
    expect(server.asked).toBe(1);
    server.status = 200;
    passSeconds(16);
    expect((await discoverModels(harness.deps)).get('pool')).toMatchObject({ error: null });
    expect(server.asked).toBe(2);
  });
});

describe('preparing the lanes of a batch', () => {
  it('asks no provider when every name is clear without', async () => {
    await harness.deps.store.routes.put(row('mine', { provider: 'pool', model: 'x' }));
    expect(await assign('pool/anything')).toBe('pool/anything');
    expect(await assign('@pool/served-a')).toBe('pool/served-a');
    expect(await assign('mine')).toBe('pool/x');
    expect(await assign('nonsense', { batchRoute: { provider: 'listed', model: 'named' } })).toBe('listed/named');
    expect(server.asked).toBe(0);
  });

  it('finds the one provider that serves a model', async () => {
    expect(await assign('served-b')).toBe('pool/served-b');
    expect(await assign('named')).toBe('listed/named');
    expect(await assign('served-a', { batchRoute: { override_params: { top_p: 1 } } })).toBe('pool/served-a');
  });

  it('names the provider that did not answer when a model is not found', async () => {
    server.status = 503;
    expect(await assign('served-b')).toMatch(/no model named 'served-b'.*did not answer.*pool/);
    expect(await assign('named')).toBe('listed/named');
  });

  it("takes the tenant's own route before the config's, and never another tenant's", async () => {
    const deps: Deps = { ...harness.deps, configRoutes: new Map([['r', { provider: 'listed', model: 'of-config' }]]) };
    harness.deps = deps;
    expect(await assign('r')).toBe('listed/of-config');
    await deps.store.routes.put(row('r', { provider: 'pool', model: 'of-tenant' }));
    expect(await assign('r')).toBe('pool/of-tenant');
    expect(await assign('r', { tenantId: 'other' })).toBe('listed/of-config');
  });
});

function row(name: string, config: unknown) {
  return { id: `route_${name}`, tenantId: 'default', name, config, createdAt: 1, updatedAt: 1 };
}
