import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { ENDPOINTS, type Endpoint } from '../../protocol/endpoint.ts';
import { errorEnvelopeSchema } from '../../protocol/error.ts';
import { metadataSchema } from '../../protocol/metadata.ts';
import type { Calls } from '../../services/calls/calls.ts';
import { callHeaders } from '../call-headers.ts';
import { toResponse } from '../call-response.ts';
import type { AppEnv } from '../env.ts';
import { hasIdempotencyKey } from '../idempotency.ts';

const SUMMARIES: Record<Endpoint, string> = {
  '/v1/chat/completions': 'Answer a conversation now',
  '/v1/completions': 'Complete a text now',
  '/v1/embeddings': 'Embed texts now',
  '/v1/responses': 'Answer through the Responses API now',
  '/v1/moderations': 'Classify texts now',
};

const bodySchema = z
  .looseObject({
    model: z.string().openapi({ description: 'A route, `provider/model`, or a model that one provider lists' }),
    config: z.union([z.string(), z.looseObject({})]).optional(),
    metadata: metadataSchema.optional(),
    stream: z.boolean().nullish(),
  })
  .openapi('CallRequest');

const describe = (endpoint: Endpoint) =>
  createRoute({
    method: 'post',
    path: endpoint,
    tags: ['Calls'],
    summary: SUMMARIES[endpoint],
    description:
      "OpenAI's endpoint over the same routes, limits and ledger as batches. A route in `config` or the header `x-weir-config`; " +
      '`metadata` becomes ledger tags. The headers `x-weir-provider`, `x-weir-target` and `x-weir-cost-nano-usd` say who answered and for how much.',
    request: { body: { required: true, content: { 'application/json': { schema: bodySchema } } } },
    responses: {
      200: {
        description: "OpenAI's answer, or its events with `stream: true`",
        content: { 'application/json': { schema: z.looseObject({}) }, 'text/event-stream': { schema: z.string() } },
      },
      502: {
        description: 'The provider did not answer, or refused our credentials',
        content: { 'application/json': { schema: errorEnvelopeSchema } },
      },
    },
  });

/** The synchronous endpoints, for every runtime. On Node most calls pass src/http/calls instead. */
export function registerCalls(app: OpenAPIHono<AppEnv>, calls: Calls): void {
  for (const endpoint of ENDPOINTS) {
    app.openAPIRegistry.registerPath(describe(endpoint));
    app.post(endpoint, async (c) => {
      const { actor, signal } = c.get('context');
      const answer = await calls.answer({
        actor,
        endpoint,
        raw: new Uint8Array(await c.req.arrayBuffer()),
        headers: callHeaders((name) => c.req.header(name)),
        requestId: c.get('requestId'),
        signal,
        comesBack: hasIdempotencyKey(c),
      });
      return toResponse(c, answer);
    });
  }
}
