import { createRoute as describe, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Deps } from '../../ports/deps.ts';
import { errorEnvelopeSchema } from '../../protocol/error.ts';
import {
  namedRouteSchema,
  routeCreateSchema,
  routeDeletedSchema,
  routeListSchema,
  routePutSchema,
} from '../../protocol/route.ts';
import { routeTrialInputSchema, routeTrialSchema } from '../../protocol/route-trial.ts';
import { deleteRoute } from '../../services/routes/delete.ts';
import { getRoute } from '../../services/routes/get.ts';
import { listRoutes } from '../../services/routes/list.ts';
import { createRoute, putRoute } from '../../services/routes/put.ts';
import { tryRoute } from '../../services/routes/try.ts';
import type { AppEnv } from '../env.ts';

const tags = ['Routes'];
const params = z.object({ name: z.string() });
const ok = (schema: z.ZodType) => ({ description: 'OK', content: { 'application/json': { schema } } });
const refused = (description: string) => ({
  description,
  content: { 'application/json': { schema: errorEnvelopeSchema } },
});
const body = <T extends z.ZodType>(schema: T) => ({
  body: { required: true, content: { 'application/json': { schema } } },
});
const invalid = refused('The routing config cannot run; the message names every problem');
const inConfig = refused('The name is in the config file, or taken');
const unknown = refused('No such route');

const create = describe({
  method: 'post',
  path: '/v1/routes',
  tags,
  summary: 'Store a route under a new name',
  request: body(routeCreateSchema),
  responses: { 200: ok(namedRouteSchema), 400: invalid, 409: inConfig },
});

const attempt = describe({
  method: 'post',
  path: '/v1/routes/try',
  tags,
  summary: 'Where one line would go and what each provider would be sent; nothing is sent',
  request: body(routeTrialInputSchema),
  responses: { 200: ok(routeTrialSchema), 400: invalid },
});

const put = describe({
  method: 'put',
  path: '/v1/routes/{name}',
  tags,
  summary: 'Store a route, in place of an older one',
  request: { params, ...body(routePutSchema) },
  responses: { 200: ok(namedRouteSchema), 400: invalid, 409: inConfig },
});

const list = describe({
  method: 'get',
  path: '/v1/routes',
  tags,
  summary: 'List routes',
  responses: { 200: ok(routeListSchema) },
});

const get = describe({
  method: 'get',
  path: '/v1/routes/{name}',
  tags,
  summary: 'Retrieve a route',
  request: { params },
  responses: { 200: ok(namedRouteSchema), 404: unknown },
});

const remove = describe({
  method: 'delete',
  path: '/v1/routes/{name}',
  tags,
  summary: 'Delete a stored route',
  request: { params },
  responses: { 200: ok(routeDeletedSchema), 404: unknown, 409: inConfig },
});

/** /v1/routes: the tenant's own routes, beside those of the config file. `changed` is told whose routes changed. */
export function registerRoutes(app: OpenAPIHono<AppEnv>, deps: Deps, changed: (tenantId: string) => void): void {
  app.use('/v1/routes/*', async (c, next) => {
    await next();
    if (c.req.method !== 'GET') changed(c.get('context').actor.tenantId);
  });
  app.openapi(create, async (c) => c.json(await createRoute(deps, c.get('context'), c.req.valid('json')), 200));
  app.openapi(attempt, async (c) => c.json(await tryRoute(deps, c.get('context'), c.req.valid('json')), 200));
  app.openapi(put, async (c) => {
    const input = { ...c.req.valid('param'), ...c.req.valid('json') };
    return c.json(await putRoute(deps, c.get('context'), input), 200);
  });
  app.openapi(list, async (c) =>
    c.json({ object: 'list' as const, data: await listRoutes(deps, c.get('context')) }, 200),
  );
  app.openapi(get, async (c) => c.json(await getRoute(deps, c.get('context'), c.req.valid('param').name), 200));
  app.openapi(remove, async (c) => c.json(await deleteRoute(deps, c.get('context'), c.req.valid('param').name), 200));
}
