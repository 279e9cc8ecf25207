import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Deps } from '../../ports/deps.ts';
import { keyCreatedSchema, keyCreateSchema, keyPageSchema, keySchema, keyUpdateSchema } from '../../protocol/key.ts';
import { createKey } from '../../services/keys/create.ts';
import { listKeys } from '../../services/keys/list.ts';
import { toKeyObject } from '../../services/keys/present.ts';
import { revokeKey } from '../../services/keys/revoke.ts';
import { updateKey } from '../../services/keys/update.ts';
import type { AppEnv } from '../env.ts';
import { pageQuery, tenantParameter } from '../page-query.ts';

const tags = ['Keys'];
const params = z.object({ id: z.string() });
const keyAnswer = { description: 'The key', content: { 'application/json': { schema: keySchema } } };

const create = createRoute({
  method: 'post',
  path: '/v1/keys',
  tags,
  summary: 'Create an API key; its secret is shown in this answer only',
  request: { body: { required: true, content: { 'application/json': { schema: keyCreateSchema } } } },
  responses: {
    200: { description: 'The key with its secret', content: { 'application/json': { schema: keyCreatedSchema } } },
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/keys',
  tags,
  summary: 'List the keys of all tenants, or of one, revoked ones included',
  request: { query: pageQuery({ max: 100, fallback: 20 }).extend({ tenant_id: tenantParameter }) },
  responses: { 200: { description: 'A page of keys', content: { 'application/json': { schema: keyPageSchema } } } },
});

const update = createRoute({
  method: 'post',
  path: '/v1/keys/{id}',
  tags,
  summary: 'Change a key’s name or limits',
  request: { params, body: { required: true, content: { 'application/json': { schema: keyUpdateSchema } } } },
  responses: { 200: keyAnswer },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/keys/{id}',
  tags,
  summary: 'Revoke a key; it stays in the list',
  request: { params },
  responses: { 200: keyAnswer },
});

const revoke = createRoute({
  method: 'post',
  path: '/v1/keys/{id}/revoke',
  tags,
  summary: 'Revoke a key; it stays in the list',
  request: { params },
  responses: { 200: keyAnswer },
});

/** `/v1/keys`, for administrators. `onRevoked`: ends what this process has open for a key. */
export function registerKeys(app: OpenAPIHono<AppEnv>, deps: Deps, onRevoked: (keyId: string) => void): void {
  app.openapi(create, async (c) => {
    const { row, secret } = await createKey(deps, c.get('context'), c.req.valid('json'));
    // A secret is stored nowhere: a repeated call under an Idempotency-Key is told of the key alone.
    c.set('rememberedBody', JSON.stringify(toKeyObject(row)));
    return c.json({ ...toKeyObject(row), secret }, 200);
  });
  app.openapi(list, async (c) => {
    const { tenant_id: tenantId, ...query } = c.req.valid('query');
    return c.json(await listKeys(deps, c.get('context'), { ...query, tenantId }), 200);
  });
  app.openapi(update, async (c) => {
    const row = await updateKey(deps, c.get('context'), c.req.valid('param').id, c.req.valid('json'));
    return c.json(toKeyObject(row), 200);
  });
  for (const route of [remove, revoke]) {
    app.openapi(route, async (c) => {
      const row = await revokeKey(deps, c.get('context'), c.req.valid('param').id);
      onRevoked(row.id);
      return c.json(toKeyObject(row), 200);
    });
  }
}
