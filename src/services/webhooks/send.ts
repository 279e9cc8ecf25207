import { Webhook } from 'standardwebhooks';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { WebhookRow } from '../../ports/store-webhooks.ts';
import type { WebhookEventObject } from '../../protocol/webhook.ts';

const USER_AGENT = 'Weir-Webhooks/1';

/**
 * Sends one event to one endpoint, signed now, as Standard Webhooks says. Throws what WebhookSender.post does; any status
 * is an answer.
 */
export function sendEvent(
  deps: Pick<Deps, 'clock' | 'webhookSender'>,
  webhook: WebhookRow,
  event: WebhookEventObject,
  signal: AbortSignal,
): Promise<{ status: number }> {
  const body = JSON.stringify(event);
  const now = unixSeconds(deps.clock);
  const signatures = secretsOf(webhook, now).map((secret) =>
    new Webhook(secret).sign(event.id, new Date(now * 1000), body),
  );
  return deps.webhookSender.post({
    url: webhook.url,
    headers: {
      'content-type': 'application/json',
      'user-agent': USER_AGENT,
      'webhook-id': event.id,
      'webhook-timestamp': String(now),
      'webhook-signature': signatures.join(' '),
    },
    body,
    signal,
  });
}

/** The secret, and the one before while it still counts. */
function secretsOf({ secret, previousSecret, previousUntil }: WebhookRow, now: number): string[] {
  const isKept = previousSecret !== null && previousUntil !== null && now < previousUntil;
  return isKept ? [secret, previousSecret] : [secret];
}
