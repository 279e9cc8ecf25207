import { unixSeconds } from '../../ports/clock.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { WebhookRow } from '../../ports/store-webhooks.ts';
import { found } from './retrieve.ts';
import { newSigningSecret } from './secret.ts';

const OVERLAP_SECONDS = 86_400;

/**
 * Gives an endpoint a new secret, once: repeated after a run whose answer nobody got, it answers the secret of that run. With
 * `keepOld`, deliveries carry the old one's signature beside the new one's for 24 hours. Throws ApiError 404.
 */
export async function rotateSecret(
  deps: Pick<Deps, 'store' | 'clock' | 'log'>,
  context: Pick<Context, 'actor' | 'newId'>,
  id: string,
  keepOld: boolean,
): Promise<WebhookRow> {
  const { actor } = context;
  const now = unixSeconds(deps.clock);
  const row = await deps.store.webhooks.rotate(scopeOf(actor), id, {
    secret: newSigningSecret(context),
    previousUntil: keepOld ? now + OVERLAP_SECONDS : null,
    now,
  });
  deps.log.info({ webhookId: id, keepOld, by: actor.keyId }, 'webhook secret rotated');
  return found(row, id);
}
