import type { DeliveryRow, WebhookRow } from '../../ports/store-webhooks.ts';
import type { WebhookDeliveryObject, WebhookObject, WebhookWithSecretObject } from '../../protocol/webhook.ts';
import { hintOf } from './secret.ts';

/** A row as clients see it: without its secrets. */
export function presentWebhook(row: WebhookRow): WebhookObject {
  return {
    id: row.id,
    object: 'webhook_endpoint',
    name: row.name,
    url: row.url,
    event_types: row.eventTypes,
    signing_secret_hint: hintOf(row.secret),
    created_at: row.createdAt,
    updated_at: row.updatedAt,
    tenant_id: row.tenantId,
    enabled: row.disabledAt === null,
    disabled_reason: row.disabledReason,
    previous_secret_expires_at: row.previousUntil,
  };
}

/** The one answer that holds the secret. */
export function presentWithSecret(row: WebhookRow): WebhookWithSecretObject {
  return { ...presentWebhook(row), signing_secret: row.secret };
}

export function presentDelivery(row: DeliveryRow): WebhookDeliveryObject {
  return {
    id: row.eventId,
    object: 'webhook_endpoint.delivery',
    webhook_endpoint_id: row.webhookId,
    event_type: row.type,
    event_created_at: row.eventAt,
    status: row.state,
    attempts: row.attempts,
    status_code: row.statusCode,
    error: row.error,
    created_at: row.createdAt,
    attempted_at: row.attemptedAt,
    next_attempt_at: row.state === 'pending' ? row.nextAt : null,
    ended_at: row.endedAt,
  };
}
