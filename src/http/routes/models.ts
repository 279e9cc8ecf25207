import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Deps } from '../../ports/deps.ts';
import { errorEnvelopeSchema } from '../../protocol/error.ts';
import { modelListSchema, modelSchema } from '../../protocol/route.ts';
import { getModel, listModels } from '../../services/models/list.ts';
import type { AppEnv } from '../env.ts';

/** Tools look for models where they send their calls. */
const BASES = ['/v1', '/batching/v1'] as const;

const listAt = (base: (typeof BASES)[number]) =>
  createRoute({
    method: 'get',
    path: `${base}/models`,
    tags: ['Models'],
    summary: 'List what a request may name as its model',
    responses: { 200: { description: 'OK', content: { 'application/json': { schema: modelListSchema } } } },
  });

const retrieveAt = (base: (typeof BASES)[number]) =>
  createRoute({
    method: 'get',
    path: `${base}/models/{model}`,
    tags: ['Models'],
    summary: 'Retrieve one model',
    request: { params: z.object({ model: z.string() }) },
    responses: {
      200: { description: 'OK', content: { 'application/json': { schema: modelSchema } } },
      404: { description: 'No such model', content: { 'application/json': { schema: errorEnvelopeSchema } } },
    },
  });

/** GET /v1/models and /v1/models/{model}, and the same below /batching/v1. */
export function registerModels(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  for (const base of BASES) {
    app.openapi(listAt(base), async (c) =>
      c.json({ object: 'list' as const, data: await listModels(deps, c.get('context').actor) }, 200),
    );
    app.openAPIRegistry.registerPath(retrieveAt(base));
    // Model names hold slashes, which clients send as they are or encoded; OpenAPI has no word for that.
    app.get(`${base}/models/:model{.+}`, async (c) =>
      c.json(await getModel(deps, c.get('context').actor, c.req.param('model')), 200),
    );
  }
}
