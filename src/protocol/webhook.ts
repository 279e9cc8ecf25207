import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';
import { pageSchema } from './page.ts';

/** OpenAI's names where it has the event; `budget.alert` is Weir's own. */
export const WEBHOOK_EVENT_TYPES = [
  'batch.completed',
  'batch.failed',
  'batch.expired',
  'batch.cancelled',
  'eval.run.succeeded',
  'eval.run.failed',
  'eval.run.canceled',
  'budget.alert',
] as const;

export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number];

const eventTypes = z
  .array(z.enum(WEBHOOK_EVENT_TYPES))
  .min(1)
  .transform((types) => [...new Set(types)]);
const name = z.string().max(128);
const url = z.string().min(1).max(2_048);

/** OpenAI's webhook endpoint, with what Weir adds: whose it is and whether it is delivered to. */
export const webhookSchema = z
  .object({
    id: z.string(),
    object: z.literal('webhook_endpoint'),
    name: z.string(),
    url: z.string(),
    event_types: z.array(z.string()),
    /** Enough of the secret to tell it from others. */
    signing_secret_hint: z.string().nullable(),
    created_at: z.number().int(),
    updated_at: z.number().int(),
    tenant_id: z.string(),
    enabled: z.boolean(),
    /** Why it is not delivered to: `gone` (it answered 410) or `by_request`; null while it is. */
    disabled_reason: z.enum(['gone', 'by_request']).nullable(),
    /** Until when deliveries carry the signature of the secret before, too. */
    previous_secret_expires_at: z.number().int().nullable(),
  })
  .openapi('WebhookEndpoint');

/** The secret is shown at creation and at rotation, and never again. */
export const webhookWithSecretSchema = webhookSchema
  .extend({ signing_secret: z.string() })
  .openapi('WebhookEndpointWithSecret');

export const webhookCreateSchema = closedObject({ url, event_types: eventTypes, name: name.default('') }).openapi(
  'WebhookCreate',
);

/** A change; what is left out stays as it is. */
export const webhookUpdateSchema = closedObject({
  url: url.optional(),
  event_types: eventTypes.optional(),
  name: name.optional(),
  enabled: z.boolean().optional(),
}).openapi('WebhookUpdate');

export const webhookRotateSchema = closedObject({
  keep_old_secret_active_for_24_hours: z.boolean().default(false),
}).openapi('WebhookRotateSecret');

export const webhookTestSchema = closedObject({ event_type: z.enum(WEBHOOK_EVENT_TYPES) }).openapi('WebhookTest');

export const webhookTestResultSchema = z
  .object({
    object: z.literal('webhook_endpoint.test'),
    webhook_endpoint_id: z.string(),
    event_type: z.string(),
    status_code: z.number().int(),
    success: z.literal(true),
  })
  .openapi('WebhookTestResult');

export const webhookDeletedSchema = z
  .object({ id: z.string(), object: z.literal('webhook_endpoint.deleted'), deleted: z.literal(true) })
  .openapi('WebhookDeleted');

export const webhookPageSchema = pageSchema(webhookSchema).openapi('WebhookEndpointList');

export const webhookEventTypeListSchema = z
  .object({ object: z.literal('list'), data: z.array(z.string()) })
  .openapi('WebhookEventTypeList');

export const DELIVERY_STATES = ['pending', 'delivered', 'failed'] as const;

export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** One event on its way to one endpoint; `id` is the event's, which is the header `webhook-id` of every try. */
export const webhookDeliverySchema = z
  .object({
    id: z.string(),
    object: z.literal('webhook_endpoint.delivery'),
    webhook_endpoint_id: z.string(),
    event_type: z.string(),
    event_created_at: z.number().int(),
    status: z.enum(DELIVERY_STATES),
    attempts: z.number().int(),
    /** Of the last try; null before it, and when there was no answer. */
    status_code: z.number().int().nullable(),
    /** Why the last try failed. */
    error: z.string().nullable(),
    created_at: z.number().int(),
    attempted_at: z.number().int().nullable(),
    next_attempt_at: z.number().int().nullable(),
    ended_at: z.number().int().nullable(),
  })
  .openapi('WebhookDelivery');

export const webhookDeliveryPageSchema = pageSchema(webhookDeliverySchema).openapi('WebhookDeliveryList');

export type WebhookObject = z.infer<typeof webhookSchema>;
export type WebhookWithSecretObject = z.infer<typeof webhookWithSecretSchema>;
export type WebhookDeliveryObject = z.infer<typeof webhookDeliverySchema>;

/** What is sent: OpenAI's event. */
export interface WebhookEventObject {
  id: string;
  object: 'event';
  type: WebhookEventType;
  created_at: number;
  data: Record<string, unknown>;
}
