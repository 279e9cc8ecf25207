import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import type { Deps } from '../../ports/deps.ts';
import { batchCreateSchema } from '../../protocol/batch.ts';
import { estimateSchema } from '../../protocol/estimate.ts';
import { estimateBatch } from '../../services/batches/estimate.ts';
import type { AppEnv } from '../env.ts';

const estimate = createRoute({
  method: 'post',
  path: '/v1/batches/estimate',
  tags: ['Batches'],
  summary: 'What a batch would do and cost; nothing is sent',
  description:
    'Takes the body of a create. Answers the split over targets with the lines and parameters that each of them cannot ' +
    'take, and tokens and cost from low to high.',
  request: { body: { required: true, content: { 'application/json': { schema: batchCreateSchema } } } },
  responses: {
    200: { description: 'The estimate', content: { 'application/json': { schema: estimateSchema } } },
  },
});

/** `/v1/batches/estimate` */
export function registerEstimate(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  app.openapi(estimate, async (c) => {
    const body = c.req.valid('json');
    const config = body.config ?? c.req.header('x-weir-config') ?? c.req.header('x-portkey-config');
    return c.json(await estimateBatch(deps, c.get('context'), { ...body, config }), 200);
  });
}
