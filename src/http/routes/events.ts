import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { ApiError } from '../../core/api-error.ts';
import type { Deps } from '../../ports/deps.ts';
import { createEvents, type FeedItem } from '../../services/events/follow.ts';
import type { OpenStreams } from '../../services/keys/open-streams.ts';
import { tenantScope } from '../../services/keys/tenant.ts';
import { holderOf } from '../auth.ts';
import { toByteStream } from '../byte-stream.ts';
import type { AppEnv } from '../env.ts';
import { tenantParameter } from '../page-query.ts';

const query = z.object({ tenant_id: tenantParameter });

const events = createRoute({
  method: 'get',
  path: '/v1/events',
  tags: ['Batches'],
  summary: 'Server-sent events: the running batches whenever they change, and those that ended',
  description:
    'Events named `batches` whose data is a BatchesEvent. At most one a second; a slow reader gets the newest state and misses those between. The stream ends after some minutes, and when its key or session does: come back with the `Last-Event-ID` header.',
  request: { query },
  responses: { 200: { description: 'Events', content: { 'text/event-stream': { schema: z.string() } } } },
});

/** `/v1/events` */
export function registerEvents(app: OpenAPIHono<AppEnv>, deps: Deps, streams: OpenStreams): void {
  const feeds = createEvents(deps);
  app.openapi(events, (c) => {
    const context = c.get('context');
    const scope = tenantScope(context.actor, c.req.valid('query').tenant_id);
    const lastId = c.req.header('last-event-id');
    const stream = streams.begin(holderOf(c), context.signal);
    const items = stream.guard(feeds.follow(scope, stream, lastId));
    c.header('content-type', 'text/event-stream');
    c.header('x-accel-buffering', 'no');
    return c.body(toByteStream(encode(items)), 200);
  });
}

async function* encode(items: AsyncIterable<FeedItem>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  yield encoder.encode('retry: 2000\n\n');
  try {
    for await (const { id, event } of items) {
      yield encoder.encode(
        event === null ? ': still here\n\n' : `id: ${id}\nevent: batches\ndata: ${JSON.stringify(event)}\n\n`,
      );
    }
  } catch (error) {
    // The right to read has ended. The reader comes back as after any end of a stream, and is told so.
    if (!(error instanceof ApiError)) throw error;
  }
}
