import { unixSeconds } from '../../ports/clock.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { WebhookRow } from '../../ports/store-webhooks.ts';
import { found } from './retrieve.ts';
import { newSigningSecret } from './secret.ts';

const OVERLAP_SECONDS = 86_400;

/**
 * Gives an endpoint a new secret. With `keepOld`, deliveries carry the old one's signature beside the new one's for 24
 * hours. Throws ApiError 404.
 */
export async function rotateSecret(
  deps: Pick<Deps, 'store' | 'clock' | 'random' | 'log'>,
  { actor }: Pick<Context, 'actor'>,
  id: string,
  keepOld: boolean,
): Promise<WebhookRow> {
  const now = unixSeconds(deps.clock);
  const row = await deps.store.webhooks.rotate(scopeOf(actor), id, {
    secret: newSigningSecret(deps.random),
    previousUntil: keepOld ? now + OVERLAP_SECONDS : null,
    now,
  });
  deps.log.info({ webhookId: id, keepOld, by: actor.keyId }, 'webhook secret rotated');
  return found(row, id);
}
