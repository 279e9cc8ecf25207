import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorOf, type Harness, openHarness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

/** The routes under /v1, as `METHOD path` with its ids filled in. */
function routes(): string[] {
  return harness.app.openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== 'route' || !definition.route.path.startsWith('/v1/')) return [];
    return [`${definition.route.method.toUpperCase()} ${definition.route.path.replaceAll(/\{[^}]+\}/g, 'x')}`];
  });
}

/** Whether the path of `METHOD path` refuses a parameter that nothing knows. */
async function isStrict(route: string): Promise<boolean> {
  const [method = '', path] = route.split(' ');
  const answer = await harness.send(method, `${path}?nonsense=1`);
  return answer.status === 400 && (await answer.text()).includes("Unknown parameter: 'nonsense'");
}

describe('a parameter that a path does not take', () => {
  it.each([
    ['/v1/ledger/entries?form=2026-01-01', 'form', "Did you mean 'from'?"],
    ['/v1/ledger/summary?from=2026-01-01&tga[team]=a', 'tga[team]', "Did you mean 'tag'?"],
    ['/v1/ledger/gpus?format=csv', 'format', 'This path takes from, to.'],
    ['/v1/batches/batch_1/ledger?limt=10', 'limt', "Did you mean 'limit'?"],
    ['/v1/batches/batch_1/output?folow=true', 'folow', "Did you mean 'follow'?"],
    ['/v1/batches/batch_1/targets?limit=10', 'limit', 'This path takes none.'],
    ['/v1/keys?tenant=acme', 'tenant', "Did you mean 'tenant_id'?"],
    ['/v1/prices?orign=stated', 'orign', "Did you mean 'origin'?"],
    ['/v1/budgets?limit=1&__proto__=1', '__proto__', 'This path takes limit, after, order.'],
    [`/v1/keys?${'x'.repeat(100)}=1`, 'x'.repeat(64), 'This path takes limit, after, order, tenant_id.'],
  ])('is refused by name: %s', async (path, param, remedy) => {
    const answer = await harness.send('GET', path);
    expect(answer.status).toBe(400);
    expect(await errorOf(answer)).toEqual({
      message: `Unknown parameter: '${param}'. ${remedy}`,
      type: 'invalid_request_error',
      code: 'unknown_parameter',
      param,
    });
  });

  it.each([
    '/v1/files?include[]=x',
    '/v1/batches?include=x',
    '/v1/models?beta=true',
    '/v1/evals?metadata[a]=b',
    '/v1/messages/batches?beta=true',
    '/v1/webhook_endpoints?include=x',
    '/v1/keys?api-version=2024-10-21',
    '/v1/ledger/summary?tag[team]=search',
  ])('is ignored where OpenAI’s, Anthropic’s or Azure’s clients may send it: %s', async (path) => {
    expect((await harness.send('GET', path)).status).toBe(200);
  });

  it('is refused by every path that is Weir’s own, and by no other', async () => {
    const lenient: string[] = [];
    for (const route of routes()) if (!(await isStrict(route))) lenient.push(route.replace(/^\S+ /, ''));
    const theirs =
      /^\/v1\/((files|uploads|evals|models|chat|completions|embeddings|responses|moderations|messages|webhook_endpoints|webhook_event_types)\b|batches(\/x(\/cancel)?)?$)/;
    expect(lenient.filter((path) => !theirs.test(path))).toEqual([]);
    expect(lenient).toContain('/v1/batches/x/cancel');
    expect(lenient).not.toContain('/v1/evals/x/runs/x/comparison');
  });

  it('is told to nobody without a key', async () => {
    expect((await harness.send('GET', '/v1/keys?nonsense=1', { key: null })).status).toBe(401);
  });
});
