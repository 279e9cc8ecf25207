import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { namedRouteSchema, routeListSchema } from '../../src/protocol/route.ts';
import { resolveRoute } from '../../src/services/routes/resolve.ts';
import { makeProvider } from '../services/model-server.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

const leaf = { provider: 'one', model: 'x' };
const balanced = {
  strategy: { mode: 'loadbalance' },
  targets: [
    { ...leaf, weight: 2 },
    { provider: '@two', model: 'y' },
  ],
};

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness({
    providers: new Map([makeProvider('one', { kind: 'sandbox' }), makeProvider('two', { kind: 'sandbox' })]),
    configRoutes: new Map([['fixed', leaf]]),
  });
});
afterEach(() => harness.close());

const post = (json: unknown, options = {}) => harness.send('POST', '/v1/routes', { json, ...options });

describe('/v1/routes', () => {
  it('stores a route as it was written and shows it again', async () => {
    const made = namedRouteSchema.parse(await (await post({ name: 'mini', config: balanced })).json());
    expect(made).toMatchObject({ object: 'route', name: 'mini', config: balanced, source: 'stored' });
    expect(made.id).toMatch(/^route_/);
    expect(made.created_at).toBe(1_790_000_000);
    expect(await (await harness.send('GET', '/v1/routes/mini')).json()).toEqual(made);
  });

  it('lists stored and configured routes by name', async () => {
    await post({ name: 'mini', config: balanced });
    await post({ name: 'a', config: leaf });
    const list = routeListSchema.parse(await (await harness.send('GET', '/v1/routes')).json());
    expect(list.data.map((route) => [route.name, route.source])).toEqual([
      ['a', 'stored'],
      ['fixed', 'config'],
      ['mini', 'stored'],
    ]);
  });

  it('replaces by PUT, keeping id and creation time, and refuses POST of a name that is taken', async () => {
    const first = namedRouteSchema.parse(await (await post({ name: 'mini', config: leaf })).json());
    expect((await errorOf(await post({ name: 'mini', config: balanced }))).code).toBe('route_exists');
    harness.time.nowMs += 5_000;
    const answer = await harness.send('PUT', '/v1/routes/mini', { json: { config: balanced } });
    expect(answer.status).toBe(200);
    const second = namedRouteSchema.parse(await answer.json());
    expect(second).toEqual({ ...first, config: balanced, updated_at: first.updated_at + 5 });
  });

  it('answers a repeated POST with its Idempotency-Key as before', async () => {
    const headers = { 'idempotency-key': 'k1' };
    const first = await (await post({ name: 'mini', config: leaf }, { headers })).json();
    const again = await post({ name: 'mini', config: leaf }, { headers });
    expect(again.status).toBe(200);
    expect(await again.json()).toEqual(first);
  });

  it('deletes stored routes only', async () => {
    await post({ name: 'mini', config: leaf });
    const gone = await harness.send('DELETE', '/v1/routes/mini');
    expect(await gone.json()).toMatchObject({ object: 'route', name: 'mini', deleted: true });
    expect((await harness.send('GET', '/v1/routes/mini')).status).toBe(404);
    expect((await harness.send('DELETE', '/v1/routes/mini')).status).toBe(404);
    const refused = await harness.send('DELETE', '/v1/routes/fixed');
    expect(refused.status).toBe(409);
    expect((await errorOf(refused)).code).toBe('route_in_config');
  });

  it('never overwrites a route of the config file', async () => {
    for (const answer of [
      await post({ name: 'fixed', config: balanced }),
      await harness.send('PUT', '/v1/routes/fixed', { json: { config: balanced } }),
    ]) {
      expect(answer.status).toBe(409);
      expect((await errorOf(answer)).code).toBe('route_in_config');
    }
    expect(await (await harness.send('GET', '/v1/routes/fixed')).json()).toMatchObject({ config: leaf, created_at: 0 });
  });

  it('names every problem of a config with its path', async () => {
    const config = {
      ...balanced,
      targets: [
        { ...leaf, cb_config: {} },
        { provider: 'twoo', model: 'y' },
      ],
    };
    const shape = await post({ name: 'bad', config });
    expect(shape.status).toBe(400);
    expect(await errorOf(shape)).toMatchObject({ code: 'invalid_route', param: 'config.targets[0].cb_config' });
    const missing = await post({ name: 'bad', config: { ...config, targets: [leaf, config.targets[1]] } });
    const error = await errorOf(missing);
    expect(error.param).toBe('config.targets[1].provider');
    expect(error.message).toContain("targets[1].provider: there is no provider 'twoo'. Did you mean 'two'");
  });

  it.each(['', 'a/b', '-x', 'a b', 'ü', 'x'.repeat(129)])('refuses the name %j', async (name) => {
    const answer = await post({ name, config: leaf });
    expect(answer.status).toBe(400);
    expect((await errorOf(answer)).param).toBe('name');
    if (name === '') return;
    const put = await harness.send('PUT', `/v1/routes/${encodeURIComponent(name)}`, { json: { config: leaf } });
    expect(put.status).toBe(400);
  });

  it("keeps tenants apart: another tenant's route does not exist", async () => {
    const { secret } = await harness.makeKey({ tenant_id: 'acme' });
    const other = await harness.makeKey({ tenant_id: 'other' });
    expect((await post({ name: 'mine', config: leaf }, { key: secret })).status).toBe(200);
    for (const key of [other.secret, undefined]) {
      const options = key === undefined ? {} : { key };
      expect((await harness.send('GET', '/v1/routes/mine', options)).status).toBe(404);
      expect((await harness.send('DELETE', '/v1/routes/mine', options)).status).toBe(404);
      expect(await (await harness.send('GET', '/v1/routes', options)).text()).not.toContain('mine');
    }
    expect((await harness.send('GET', '/v1/routes/mine', { key: secret })).status).toBe(200);
  });

  it('needs a key', async () => {
    expect((await harness.send('GET', '/v1/routes', { key: null })).status).toBe(401);
  });

  it('describes the routing config in OpenAPI', async () => {
    const document = (await (await harness.send('GET', '/openapi.json')).json()) as {
      components: { schemas: Record<string, { properties?: Record<string, unknown> }> };
    };
    const { RouteConfig: root, RouteTarget: node } = document.components.schemas;
    expect(Object.keys(root?.properties ?? {})).toEqual(expect.arrayContaining(['override_params', 'rescue']));
    expect(Object.keys(node?.properties ?? {})).not.toContain('rescue');
    for (const { targets } of [root?.properties ?? {}, node?.properties ?? {}]) {
      expect(JSON.stringify(targets)).toContain('#/components/schemas/RouteTarget');
    }
  });
});

describe('the route of a batch', () => {
  const actor = { tenantId: 'default', keyId: null, role: 'admin' as const };
  const resolve = (config: string | object) => resolveRoute(harness.deps, actor, config);

  it('is a name, an object, or JSON in a header', async () => {
    await post({ name: 'mini', config: balanced });
    expect(await resolve('mini')).toEqual({ name: 'mini', route: balanced });
    expect(await resolve('fixed')).toEqual({ name: 'fixed', route: leaf });
    expect(await resolve(leaf)).toEqual({ name: 'inline', route: leaf });
    expect(await resolve(JSON.stringify(leaf))).toEqual({ name: 'inline', route: leaf });
  });

  it('is refused with a remedy', async () => {
    await expect(resolve('fixd')).rejects.toMatchObject({ status: 400, code: 'route_not_found', param: 'config' });
    await expect(resolve('fixd')).rejects.toThrow("Did you mean 'fixed'");
    await expect(resolve('{oops')).rejects.toMatchObject({ status: 400, code: 'invalid_route' });
    await expect(resolve({ provider: 'nobody' })).rejects.toMatchObject({ status: 400, param: 'config.provider' });
    await expect(resolve([leaf])).rejects.toMatchObject({ status: 400 });
    await expect(resolve('__proto__')).rejects.toMatchObject({ code: 'route_not_found' });
  });
});
