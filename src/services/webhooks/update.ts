import type { z } from '@hono/zod-openapi';
import { unixSeconds } from '../../ports/clock.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { WebhookRow } from '../../ports/store-webhooks.ts';
import type { webhookUpdateSchema } from '../../protocol/webhook.ts';
import { checkUrl } from './check-url.ts';
import { found } from './retrieve.ts';

/** Changes an endpoint; an empty change changes nothing. Throws ApiError 404, and 400 as `createWebhook` does. */
export async function updateWebhook(
  deps: Pick<Deps, 'store' | 'clock' | 'log' | 'webhookSender'>,
  { actor }: Pick<Context, 'actor'>,
  id: string,
  { event_types: eventTypes, url, name, enabled }: z.infer<typeof webhookUpdateSchema>,
): Promise<WebhookRow> {
  const scope = scopeOf(actor);
  const row = found(await deps.store.webhooks.get(scope, id), id);
  if (url !== undefined) await checkUrl(deps, url);
  const change = {
    ...(eventTypes !== undefined && { eventTypes }),
    ...(url !== undefined && { url }),
    ...(name !== undefined && { name }),
    ...(enabled !== undefined && { enabled }),
  };
  if (Object.keys(change).length === 0) return row;
  deps.log.info({ webhookId: id, changed: Object.keys(change), by: actor.keyId }, 'webhook changed');
  return found(await deps.store.webhooks.update(scope, id, change, unixSeconds(deps.clock)), id);
}
