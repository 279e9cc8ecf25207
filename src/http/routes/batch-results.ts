import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Deps } from '../../ports/deps.ts';
import { batchRequestPageSchema, REQUEST_STATUSES } from '../../protocol/batch-request.ts';
import { outputLineSchema } from '../../protocol/result-line.ts';
import { batchOutput } from '../../services/batches/output.ts';
import { listRequests } from '../../services/batches/requests.ts';
import type { OpenStreams } from '../../services/keys/open-streams.ts';
import { holderOf } from '../auth.ts';
import { pieceMemory, sendPieces } from '../direct-body.ts';
import type { AppEnv } from '../env.ts';

const tags = ['Batches'];
const params = z.object({ id: z.string() });

const followQuery = z.object({
  follow: z
    .enum(['true', 'false'])
    .catch('false')
    .openapi({ type: 'string', enum: ['true', 'false'] }),
});

const output = createRoute({
  method: 'get',
  path: '/v1/batches/{id}/output',
  tags,
  summary: 'Every finished line, in input order, also while the batch runs',
  description:
    'JSON lines, successes and failures together. The header `x-weir-incomplete: true` says that lines are still missing. With `follow=true` lines are streamed as they finish; the stream breaks off when its key or session ends.',
  request: { params, query: followQuery },
  responses: {
    200: { description: 'JSON lines', content: { 'application/jsonl': { schema: outputLineSchema } } },
  },
});

const requests = createRoute({
  method: 'get',
  path: '/v1/batches/{id}/requests',
  tags,
  summary: 'The requests of a batch, with status, target, attempts and cost',
  request: {
    params,
    query: z.object({
      status: z.enum(REQUEST_STATUSES).optional(),
      after: z.string().min(1).max(128).optional(),
      limit: z.coerce.number().int().min(1).max(1000).default(100),
    }),
  },
  responses: {
    200: { description: 'A page of requests', content: { 'application/json': { schema: batchRequestPageSchema } } },
  },
});

/** `/v1/batches/{id}/output` and `/requests` */
export function registerBatchResults(app: OpenAPIHono<AppEnv>, deps: Deps, streams: OpenStreams): void {
  // Registered by hand: the library types every answer whose media type holds "json" as one JSON document.
  app.openAPIRegistry.registerPath(output);
  app.get(output.getRoutingPath(), async (c) => {
    const { follow } = followQuery.parse(c.req.query());
    const options = { follow: follow === 'true', memory: pieceMemory(c) };
    const context = c.get('context');
    const stream = streams.begin(holderOf(c), context.signal);
    const result = await batchOutput(deps, { ...context, signal: stream.signal }, c.req.param('id'), options);
    c.header('content-type', 'application/jsonl');
    c.header('x-content-type-options', 'nosniff');
    if (result.incomplete) c.header('x-weir-incomplete', 'true');
    return c.newResponse(sendPieces(c, options.follow ? stream.guard(result.bytes) : result.bytes), 200);
  });
  app.openapi(requests, async (c) =>
    c.json(await listRequests(deps, c.get('context'), c.req.valid('param').id, c.req.valid('query')), 200),
  );
}
