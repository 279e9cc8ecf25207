import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context as HonoContext } from 'hono';
import { invalidRequest } from '../../core/invalid-request.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { Calls } from '../../services/calls/calls.ts';
import {
  cancelMessageBatch,
  deleteMessageBatch,
  listMessageBatches,
  retrieveMessageBatch,
} from '../../services/messages/batches.ts';
import { createMessageBatch } from '../../services/messages/create-batch.ts';
import { presentMessageBatch } from '../../services/messages/present-batch.ts';
import { messageResults } from '../../services/messages/results.ts';
import { parseBody, sendMessage } from '../../services/messages/send.ts';
import { toByteStream } from '../byte-stream.ts';
import { callHeaders } from '../call-headers.ts';
import { toResponse } from '../call-response.ts';
import type { AppEnv } from '../env.ts';
import { hasIdempotencyKey } from '../idempotency.ts';

const tags = ['Messages'];
const BASE = '/v1/messages/batches';
const params = z.object({ id: z.string() });
const open = z.looseObject({});
const json = (description: string) => ({ 200: { description, content: { 'application/json': { schema: open } } } });
const body = { body: { required: true, content: { 'application/json': { schema: open } } } };
const query = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(20),
  after_id: z.string().max(128).optional(),
  before_id: z.string().max(128).optional(),
});

const create = createRoute({
  method: 'post',
  path: '/v1/messages',
  tags,
  summary: "Anthropic's Messages, over any provider",
  request: body,
  responses: json('A message, or its events with `stream: true`'),
});
const createBatch = createRoute({
  method: 'post',
  path: BASE,
  tags,
  summary: "Anthropic's Message Batches, over any provider",
  description: 'The route in the header `x-weir-config`, the window in `x-weir-window` (24h).',
  request: body,
  responses: json('The batch'),
});
const list = createRoute({
  method: 'get',
  path: BASE,
  tags,
  summary: 'List message batches',
  request: { query },
  responses: json('A page'),
});
const retrieve = createRoute({
  method: 'get',
  path: `${BASE}/{id}`,
  tags,
  summary: 'Retrieve a message batch',
  request: { params },
  responses: json('The batch'),
});
const results = createRoute({
  method: 'get',
  path: `${BASE}/{id}/results`,
  tags,
  summary: 'Results as JSONL',
  request: { params },
  responses: {
    200: { description: 'A line for each request', content: { 'application/x-jsonl': { schema: z.string() } } },
  },
});
const cancel = createRoute({
  method: 'post',
  path: `${BASE}/{id}/cancel`,
  tags,
  summary: 'Cancel a message batch',
  request: { params },
  responses: json('The batch'),
});
const remove = createRoute({
  method: 'delete',
  path: `${BASE}/{id}`,
  tags,
  summary: 'Delete an ended message batch',
  request: { params },
  responses: json('What was deleted'),
});

/** `/v1/messages` and `/v1/messages/batches`: a second front door, for Anthropic's clients. */
export function registerMessages(app: OpenAPIHono<AppEnv>, deps: Deps, calls: Calls): void {
  for (const route of [create, createBatch, list, retrieve, results, cancel, remove]) {
    app.openAPIRegistry.registerPath(route);
  }
  const idOf = (c: HonoContext<AppEnv>): string => c.req.param('id') ?? '';
  const present = (c: HonoContext<AppEnv>, batch: BatchRow) =>
    presentMessageBatch(deps, batch, new URL(c.req.url).origin);

  app.post('/v1/messages', async (c) => {
    const { actor, signal } = c.get('context');
    const raw = new Uint8Array(await c.req.arrayBuffer());
    const headers = callHeaders((name) => c.req.header(name));
    const about = { requestId: c.get('requestId'), signal, comesBack: hasIdempotencyKey(c) };
    return toResponse(c, await sendMessage(calls, { actor, raw, headers, ...about }));
  });
  app.post(BASE, async (c) => {
    const input = {
      body: parseBody(new Uint8Array(await c.req.arrayBuffer())),
      config: c.req.header('x-weir-config') ?? c.req.header('x-portkey-config'),
      window: c.req.header('x-weir-window') ?? '24h',
    };
    return c.json(await present(c, await createMessageBatch(deps, c.get('context'), input)));
  });
  app.get(BASE, async (c) => {
    const asked = query.safeParse(c.req.query());
    if (!asked.success) throw invalidRequest(asked.error, c.req.query());
    const { limit, after_id: afterId, before_id: beforeId } = asked.data;
    const page = await listMessageBatches(deps, c.get('context'), { limit, afterId, beforeId });
    const data = await Promise.all(page.batches.map((batch) => present(c, batch)));
    return c.json({ data, has_more: page.hasMore, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null });
  });
  app.get(`${BASE}/:id`, async (c) =>
    c.json(await present(c, await retrieveMessageBatch(deps, c.get('context'), idOf(c)))),
  );
  app.get(`${BASE}/:id/results`, async (c) => {
    const lines = await messageResults(deps, c.get('context'), idOf(c));
    return c.body(toByteStream(lines), 200, { 'content-type': 'application/x-jsonl' });
  });
  app.post(`${BASE}/:id/cancel`, async (c) =>
    c.json(await present(c, await cancelMessageBatch(deps, c.get('context'), idOf(c)))),
  );
  app.delete(`${BASE}/:id`, async (c) => c.json(await deleteMessageBatch(deps, c.get('context'), idOf(c))));
}
