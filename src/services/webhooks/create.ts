import type { z } from '@hono/zod-openapi';
import { ApiError } from '../../core/api-error.ts';
import { formatId, ID_BYTES } from '../../core/ids.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { WebhookRow } from '../../ports/store-webhooks.ts';
import type { webhookCreateSchema } from '../../protocol/webhook.ts';
import { checkUrl } from './check-url.ts';
import { newSigningSecret } from './secret.ts';

const WEBHOOKS_MAX = 20;

/**
 * Registers an endpoint of the caller's tenant. Throws ApiError 400 for a URL that webhooks may not reach, and when the
 * tenant has as many as it may.
 */
export async function createWebhook(
  deps: Pick<Deps, 'store' | 'clock' | 'random' | 'log' | 'webhookSender'>,
  { actor }: Pick<Context, 'actor'>,
  input: z.infer<typeof webhookCreateSchema>,
): Promise<WebhookRow> {
  await checkUrl(deps, input.url);
  const now = unixSeconds(deps.clock);
  const row: WebhookRow = {
    // Not from the context: a repeated call cannot make the same secret again, so it must not make the same id.
    id: formatId('whe_', deps.random.bytes(ID_BYTES)),
    tenantId: actor.tenantId,
    keyId: actor.keyId,
    name: input.name,
    url: input.url,
    eventTypes: input.event_types,
    secret: newSigningSecret(deps.random),
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
  return row;
}
