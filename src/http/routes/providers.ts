import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import type { Deps } from '../../ports/deps.ts';
import { errorEnvelopeSchema } from '../../protocol/error.ts';
import { providerListSchema } from '../../protocol/route.ts';
import { listProviders } from '../../services/providers/list.ts';
import type { AppEnv } from '../env.ts';

const list = createRoute({
  method: 'get',
  path: '/v1/providers',
  tags: ['Administration'],
  summary: 'List the configured providers',
  responses: {
    200: { description: 'OK', content: { 'application/json': { schema: providerListSchema } } },
    403: { description: 'Needs an admin key', content: { 'application/json': { schema: errorEnvelopeSchema } } },
  },
});

/** GET /v1/providers, for administrators. */
export function registerProviders(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  app.openapi(list, async (c) =>
    c.json({ object: 'list' as const, data: await listProviders(deps, c.get('context')) }, 200),
  );
}
