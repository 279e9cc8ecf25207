import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Deps } from '../../ports/deps.ts';
import {
  batchFailuresSchema,
  batchGpusSchema,
  batchRequestDetailSchema,
  batchTargetsSchema,
  batchThroughputSchema,
} from '../../protocol/batch-insight.ts';
import { batchFailures } from '../../services/insight/failures.ts';
import { batchGpus } from '../../services/insight/gpus.ts';
import { batchRequest } from '../../services/insight/request.ts';
import { batchTargets } from '../../services/insight/targets.ts';
import { batchThroughput } from '../../services/insight/throughput.ts';
import type { AppEnv } from '../env.ts';
import { jsonAnswer } from '../tabular.ts';

const tags = ['Batches'];
const params = z.object({ id: z.string() });
const ok = <T extends z.ZodType>(description: string, schema: T) => ({
  200: { description, content: { 'application/json': { schema } } },
});

const targets = createRoute({
  method: 'get',
  path: '/v1/batches/{id}/targets',
  tags,
  summary: 'How a batch is split over targets: wanted and got, with each one’s account',
  request: { params },
  responses: ok('The targets', batchTargetsSchema),
});

const throughput = createRoute({
  method: 'get',
  path: '/v1/batches/{id}/throughput',
  tags,
  summary: 'How many requests of a batch finished when',
  request: { params },
  responses: ok('Requests by stretches of time', batchThroughputSchema),
});

const failures = createRoute({
  method: 'get',
  path: '/v1/batches/{id}/failures',
  tags,
  summary: 'The failures of a batch by cause, with examples; tries that were made again are counted too',
  request: { params },
  responses: ok('Groups of failures', batchFailuresSchema),
});

const request = createRoute({
  method: 'get',
  path: '/v1/batches/{id}/requests/{request_id}',
  tags,
  summary: 'One request with its input, its answer and every attempt',
  request: { params: params.extend({ request_id: z.string() }) },
  responses: ok('The request', batchRequestDetailSchema),
});

const gpus = createRoute({
  method: 'get',
  path: '/v1/batches/{id}/gpus',
  tags,
  summary: 'What pools that are paid by the hour cost a batch: its working time, and its part of the whole time',
  request: { params },
  responses: ok('By pool; empty where none was used', batchGpusSchema),
});

/** What explains one batch: `/v1/batches/{id}/targets`, `/throughput`, `/failures`, `/gpus`, `/requests/{request_id}`. */
export function registerBatchInsight(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  // Registered by hand, as their sums of money may be beyond what the library's JSON can write.
  for (const route of [targets, request]) app.openAPIRegistry.registerPath(route);
  app.get(targets.getRoutingPath(), async (c) => {
    const data = await batchTargets(deps, c.get('context'), c.req.param('id'));
    return jsonAnswer({ object: 'list', data });
  });
  app.openapi(gpus, async (c) => {
    const answer = await batchGpus(deps, c.get('context'), c.req.valid('param').id);
    return c.json(answer, 200);
  });
  app.get(request.getRoutingPath(), async (c) =>
    jsonAnswer(await batchRequest(deps, c.get('context'), c.req.param('id'), c.req.param('request_id'))),
  );
  app.openapi(throughput, async (c) =>
    c.json(await batchThroughput(deps, c.get('context'), c.req.valid('param').id), 200),
  );
  app.openapi(failures, async (c) => c.json(await batchFailures(deps, c.get('context'), c.req.valid('param').id), 200));
}
