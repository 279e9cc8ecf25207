import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Deps } from '../../ports/deps.ts';
import type { WebhookRow } from '../../ports/store-webhooks.ts';
import {
  WEBHOOK_EVENT_TYPES,
  webhookCreateSchema,
  webhookDeletedSchema,
  webhookDeliveryPageSchema,
  webhookDeliverySchema,
  webhookEventTypeListSchema,
  webhookPageSchema,
  webhookRotateSchema,
  webhookSchema,
  webhookTestResultSchema,
  webhookTestSchema,
  webhookUpdateSchema,
  webhookWithSecretSchema,
} from '../../protocol/webhook.ts';
import { createWebhook } from '../../services/webhooks/create.ts';
import { deleteWebhook } from '../../services/webhooks/delete.ts';
import { listDeliveries, redeliver } from '../../services/webhooks/deliveries.ts';
import { listWebhooks } from '../../services/webhooks/list.ts';
import { presentWebhook, presentWithSecret } from '../../services/webhooks/present.ts';
import { retrieveWebhook } from '../../services/webhooks/retrieve.ts';
import { rotateSecret } from '../../services/webhooks/rotate.ts';
import { testWebhook } from '../../services/webhooks/test.ts';
import { updateWebhook } from '../../services/webhooks/update.ts';
import type { AppEnv } from '../env.ts';
import { pageQuery, tenantParameter } from '../page-query.ts';

const tags = ['Webhooks'];
const params = z.object({ id: z.string() });

const answer = <T extends z.ZodType>(description: string, schema: T) => ({
  200: { description, content: { 'application/json': { schema } } },
});
const body = <T extends z.ZodType>(schema: T, required: boolean) => ({
  required,
  content: { 'application/json': { schema } },
});

/** The operations below one path. */
function routesAt(root: string) {
  const one = `${root}/{id}`;
  return {
    create: createRoute({
      method: 'post',
      path: root,
      tags,
      summary: 'Register an endpoint; its signing secret is shown in this answer only',
      request: { body: body(webhookCreateSchema, true) },
      responses: answer('The endpoint with its secret', webhookWithSecretSchema),
    }),
    list: createRoute({
      method: 'get',
      path: root,
      tags,
      summary: 'List endpoints, newest first',
      request: { query: pageQuery({ max: 100, fallback: 20 }).extend({ tenant_id: tenantParameter }) },
      responses: answer('A page of endpoints', webhookPageSchema),
    }),
    retrieve: createRoute({
      method: 'get',
      path: one,
      tags,
      summary: 'Retrieve an endpoint',
      request: { params },
      responses: answer('The endpoint', webhookSchema),
    }),
    update: createRoute({
      method: 'post',
      path: one,
      tags,
      summary: 'Change an endpoint, or disable or enable it',
      request: { params, body: body(webhookUpdateSchema, false) },
      responses: answer('The endpoint', webhookSchema),
    }),
    remove: createRoute({
      method: 'delete',
      path: one,
      tags,
      summary: 'Delete an endpoint with what waits for it',
      request: { params },
      responses: answer('Deleted', webhookDeletedSchema),
    }),
    rotate: createRoute({
      method: 'post',
      path: `${one}/rotate_secret`,
      tags,
      summary: 'Give an endpoint a new secret, which is shown in this answer only',
      request: { params, body: body(webhookRotateSchema, false) },
      responses: answer('The endpoint with its secret', webhookWithSecretSchema),
    }),
    test: createRoute({
      method: 'post',
      path: `${one}/test`,
      tags,
      summary: 'Send a sample event now and tell what the endpoint answered',
      request: { params, body: body(webhookTestSchema, true) },
      responses: answer('The endpoint’s status', webhookTestResultSchema),
    }),
    deliveries: createRoute({
      method: 'get',
      path: `${one}/deliveries`,
      tags,
      summary: 'What was, or is to be, delivered to an endpoint',
      request: { params, query: pageQuery({ max: 100, fallback: 20 }) },
      responses: answer('A page of deliveries', webhookDeliveryPageSchema),
    }),
    redeliver: createRoute({
      method: 'post',
      path: `${one}/deliveries/{event_id}/retry`,
      tags,
      summary: 'Deliver an event again',
      request: { params: z.object({ id: z.string(), event_id: z.string() }) },
      responses: answer('The delivery', webhookDeliverySchema),
    }),
  };
}

const eventTypes = createRoute({
  method: 'get',
  path: '/v1/webhook_event_types',
  tags,
  summary: 'The events that an endpoint may ask for',
  responses: answer('Their names', webhookEventTypeListSchema),
});

/** `/v1/webhooks`, and the same under `/v1/webhook_endpoints`, where OpenAI's client looks for it. */
export function registerWebhooks(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  for (const root of ['/v1/webhooks', '/v1/webhook_endpoints']) registerAt(app, deps, root);
  app.openapi(eventTypes, (c) => c.json({ object: 'list' as const, data: [...WEBHOOK_EVENT_TYPES] }, 200));
}

function registerAt(app: OpenAPIHono<AppEnv>, deps: Deps, root: string): void {
  const routes = routesAt(root);
  /** A secret is given once: a repeated call under an Idempotency-Key is told of the endpoint alone. */
  const once = (row: WebhookRow) => JSON.stringify(presentWebhook(row));
  app.openapi(routes.create, async (c) => {
    const row = await createWebhook(deps, c.get('context'), c.req.valid('json'));
    c.set('rememberedBody', once(row));
    return c.json(presentWithSecret(row), 200);
  });
  app.openapi(routes.list, async (c) => {
    const { tenant_id: tenantId, ...query } = c.req.valid('query');
    return c.json(await listWebhooks(deps, c.get('context'), { ...query, tenantId }), 200);
  });
  app.openapi(routes.retrieve, async (c) =>
    c.json(presentWebhook(await retrieveWebhook(deps, c.get('context'), c.req.valid('param').id)), 200),
  );
  app.openapi(routes.update, async (c) => {
    const row = await updateWebhook(deps, c.get('context'), c.req.valid('param').id, c.req.valid('json'));
    return c.json(presentWebhook(row), 200);
  });
  app.openapi(routes.remove, async (c) => {
    const { id } = c.req.valid('param');
    await deleteWebhook(deps, c.get('context'), id);
    return c.json({ id, object: 'webhook_endpoint.deleted' as const, deleted: true as const }, 200);
  });
  app.openapi(routes.rotate, async (c) => {
    const { keep_old_secret_active_for_24_hours: keepOld } = webhookRotateSchema.parse(c.req.valid('json') ?? {});
    const row = await rotateSecret(deps, c.get('context'), c.req.valid('param').id, keepOld);
    c.set('rememberedBody', once(row));
    return c.json(presentWithSecret(row), 200);
  });
  app.openapi(routes.test, async (c) => {
    const { event_type: type } = c.req.valid('json');
    return c.json(await testWebhook(deps, c.get('context'), c.req.valid('param').id, type), 200);
  });
  app.openapi(routes.deliveries, async (c) => {
    const { id } = c.req.valid('param');
    return c.json(await listDeliveries(deps, c.get('context'), id, c.req.valid('query')), 200);
  });
  app.openapi(routes.redeliver, async (c) => {
    const { id, event_id: eventId } = c.req.valid('param');
    return c.json(await redeliver(deps, c.get('context'), id, eventId), 200);
  });
}
