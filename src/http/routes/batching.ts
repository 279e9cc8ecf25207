import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Endpoint } from '../../protocol/endpoint.ts';
import { errorEnvelopeSchema } from '../../protocol/error.ts';
import type { Autobatch } from '../../services/autobatch/autobatch.ts';
import { callHeaders } from '../call-headers.ts';
import { toResponse } from '../call-response.ts';
import type { AppEnv } from '../env.ts';

const PREFIX = '/batching';
const ENDPOINTS: readonly Endpoint[] = ['/v1/chat/completions', '/v1/responses', '/v1/completions', '/v1/embeddings'];

const parked = z
  .object({
    id: z.string(),
    object: z.literal('batching.call'),
    status: z.enum(['pending', 'answered']),
    created_at: z.number().int(),
    batch_id: z.string().nullable(),
    url: z.string(),
  })
  .openapi('ParkedCall');

const tags = ['Auto-batching'];
const json = <T extends z.ZodType>(description: string, schema: T) => ({
  description,
  content: { 'application/json': { schema } },
});

const describe = (endpoint: Endpoint) =>
  createRoute({
    method: 'post',
    path: `${PREFIX}${endpoint}`,
    tags,
    summary: `${endpoint}, answered from a batch`,
    description:
      'Calls are kept durably and grouped into batches by route, size and time; the request waits for its answer. A client that ' +
      'gives up and sends it again (recognised by `Idempotency-Key`, else by its content and key) is given the same call: it is bought once. ' +
      'Headers: `x-weir-priority: interactive` for an answer now, `x-weir-deadline: 30m`, `Prefer: respond-async, wait=10` for 202 with a URL, ' +
      '`x-weir-when-pending: 422` for clients that poll.',
    request: {
      body: { required: true, content: { 'application/json': { schema: z.looseObject({ model: z.string() }) } } },
    },
    responses: {
      200: json("OpenAI's answer", z.looseObject({})),
      202: json('Not answered yet; `location` says where to ask', parked),
      408: json('Not answered yet; send the same request again', errorEnvelopeSchema),
    },
  });

const retrieve = createRoute({
  method: 'get',
  path: `${PREFIX}/v1/calls/{id}`,
  tags,
  summary: 'The answer of a parked call, with its own status; 202 until there is one',
  request: {
    params: z.object({ id: z.string() }),
    query: z.object({ wait: z.coerce.number().int().min(0).max(86_400).optional() }),
  },
  responses: { 200: json("OpenAI's answer", z.looseObject({})), 202: json('Not answered yet', parked) },
});

/** `/batching/v1/…`: synchronous calls at the price of batches. */
export function registerBatching(app: OpenAPIHono<AppEnv>, autobatch: Autobatch): void {
  for (const endpoint of ENDPOINTS) {
    app.openAPIRegistry.registerPath(describe(endpoint));
    app.post(`${PREFIX}${endpoint}`, async (c) => {
      const header = (name: string) => c.req.header(name);
      const { actor, signal } = c.get('context');
      const answer = await autobatch.answer({
        actor,
        endpoint,
        raw: new Uint8Array(await c.req.arrayBuffer()),
        headers: callHeaders(header),
        requestId: c.get('requestId'),
        signal,
        wishes: {
          idempotencyKey: header('idempotency-key'),
          priority: header('x-weir-priority'),
          deadline: header('x-weir-deadline'),
          prefer: header('prefer'),
          whenPending: header('x-weir-when-pending'),
          retryCount: header('x-stainless-retry-count'),
          timeout: header('x-stainless-timeout'),
        },
      });
      return toResponse(c, answer);
    });
  }
  app.openAPIRegistry.registerPath(retrieve);
  app.get('/batching/v1/calls/:id', async (c) => {
    const { actor, signal } = c.get('context');
    const wait = Number(c.req.query('wait') ?? 0);
    const waitMs = Number.isSafeInteger(wait) && wait > 0 ? wait * 1_000 : 0;
    return toResponse(c, await autobatch.retrieve(actor, c.req.param('id'), waitMs, signal));
  });
}
