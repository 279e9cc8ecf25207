import { ApiError, notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { ListQuery } from '../../ports/store-query.ts';
import { type Page, toPage } from '../../protocol/page.ts';
import type { WebhookDeliveryObject } from '../../protocol/webhook.ts';
import { presentDelivery } from './present.ts';
import { retrieveWebhook } from './retrieve.ts';

/** A page of what was, or is to be, delivered to an endpoint, newest first. Throws ApiError 404. */
export async function listDeliveries(
  deps: Pick<Deps, 'store'>,
  context: Pick<Context, 'actor'>,
  id: string,
  query: ListQuery,
): Promise<Page<WebhookDeliveryObject>> {
  await retrieveWebhook(deps, context, id);
  const rows = await deps.store.webhooks.deliveries(id, { ...query, limit: query.limit + 1 });
  if (rows === null) throw notFound('delivery', query.after ?? '');
  return toPage(rows.map(presentDelivery), query.limit);
}

/**
 * Delivers an event again, whatever became of it: now, and for another day. Throws ApiError 404, and 409 for an endpoint
 * that is disabled.
 */
export async function redeliver(
  deps: Pick<Deps, 'store' | 'clock' | 'nudge'>,
  context: Pick<Context, 'actor'>,
  id: string,
  eventId: string,
): Promise<WebhookDeliveryObject> {
  const { disabledAt } = await retrieveWebhook(deps, context, id);
  if (disabledAt !== null) {
    const message = 'The webhook is disabled, and nothing is delivered to it. Enable it first.';
    throw new ApiError(409, message, { code: 'webhook_disabled' });
  }
  const row = await deps.store.webhooks.redeliver(id, eventId, unixSeconds(deps.clock));
  if (row === null) throw notFound('delivery', eventId);
  deps.nudge();
  return presentDelivery(row);
}
