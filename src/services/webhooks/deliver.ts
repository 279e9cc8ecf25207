import { nextDeliveryAt } from '../../core/webhook-retry.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import { HttpFailure } from '../../ports/http-client.ts';
import type { DeliveryOutcome, DueDelivery } from '../../ports/store-webhooks.ts';
import { WebhookRefusal } from '../../ports/webhook-sender.ts';
import { sendEvent } from './send.ts';

type DeliverDeps = Pick<Deps, 'clock' | 'random' | 'log' | 'webhookSender'>;

const GONE = 410;

/** One try of one delivery: what is to be written of it. Never throws. */
export async function tryDelivery(
  deps: DeliverDeps,
  { delivery, webhook }: DueDelivery,
  signal: AbortSignal,
): Promise<DeliveryOutcome> {
  const event = {
    id: delivery.eventId,
    object: 'event' as const,
    type: delivery.type,
    created_at: delivery.eventAt,
    data: delivery.data,
  };
  try {
    const { status } = await sendEvent(deps, webhook, event, signal);
    if (status >= 200 && status < 300) return { outcome: 'delivered', statusCode: status };
    if (status === GONE) return { outcome: 'gone', statusCode: status, error: 'The endpoint answered 410.' };
    const why = status < 400 ? 'Redirects are not followed.' : `The endpoint answered ${status}.`;
    return later(deps, delivery.firstAt, status, why);
  } catch (error) {
    if (signal.aborted) {
      // The try was ours to break off: whoever takes over sends it at once.
      return { outcome: 'retry', statusCode: null, error: 'The server stopped.', nextAt: unixSeconds(deps.clock) };
    }
    return later(deps, delivery.firstAt, null, describe(deps, webhook.id, error));
  }
}

function later(deps: DeliverDeps, firstAt: number, statusCode: number | null, error: string): DeliveryOutcome {
  const nextAt = nextDeliveryAt({ firstAt, now: unixSeconds(deps.clock), unit: deps.random.unit() });
  return nextAt === null ? { outcome: 'failed', statusCode, error } : { outcome: 'retry', statusCode, error, nextAt };
}

function describe(deps: DeliverDeps, webhookId: string, error: unknown): string {
  if (error instanceof WebhookRefusal) return `The URL was not called: ${error.message}.`;
  if (error instanceof HttpFailure) return `There was no answer: ${error.message}.`;
  deps.log.error({ webhookId, error: error instanceof Error ? error.name : 'unknown' }, 'webhook delivery failed');
  return 'The delivery could not be sent.';
}
