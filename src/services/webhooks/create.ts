import type { z } from '@hono/zod-openapi';
import { ApiError } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { WebhookRow } from '../../ports/store-webhooks.ts';
import type { webhookCreateSchema } from '../../protocol/webhook.ts';
import { checkUrl } from './check-url.ts';
import { newSigningSecret } from './secret.ts';

const WEBHOOKS_MAX = 20;

/**
 * Registers an endpoint of the caller's tenant; repeated after a run whose answer nobody got, it answers the endpoint of
 * that run with its secret. Throws ApiError 400 for a URL that webhooks may not reach, and when the tenant has as many as it may.
 */
export async function createWebhook(
  deps: Pick<Deps, 'store' | 'clock' | 'log' | 'webhookSender'>,
  context: Pick<Context, 'actor' | 'newId'>,
  input: z.infer<typeof webhookCreateSchema>,
): Promise<WebhookRow> {
  const { actor } = context;
  await checkUrl(deps, input.url);
  const now = unixSeconds(deps.clock);
  const row: WebhookRow = {
    id: context.newId('whe_'),
    tenantId: actor.tenantId,
    keyId: actor.keyId,
    name: input.name,
    url: input.url,
    eventTypes: input.event_types,
    secret: newSigningSecret(context),
    previousSecret: null,
    previousUntil: null,
    disabledAt: null,
    disabledReason: null,
    createdAt: now,
    updatedAt: now,
  };
  if (!(await deps.store.webhooks.insert(row, WEBHOOKS_MAX))) {
    throw new ApiError(400, `A tenant may have ${WEBHOOKS_MAX} webhooks. Delete one that is not needed.`, {
      code: 'too_many_webhooks',
    });
  }
  deps.log.info({ webhookId: row.id, tenantId: row.tenantId, by: actor.keyId }, 'webhook created');
  // A second endpoint would be told everything too, signed with a secret that nobody knows.
  return (await deps.store.webhooks.get(scopeOf(actor), row.id)) ?? row;
}
