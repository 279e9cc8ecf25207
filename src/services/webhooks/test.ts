import type { z } from '@hono/zod-openapi';
import { ApiError } from '../../core/api-error.ts';
import { formatId, ID_BYTES } from '../../core/ids.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import { HttpFailure } from '../../ports/http-client.ts';
import { WebhookRefusal } from '../../ports/webhook-sender.ts';
import type { WebhookEventType, webhookTestResultSchema } from '../../protocol/webhook.ts';
import { refusedUrl } from './check-url.ts';
import { retrieveWebhook } from './retrieve.ts';
import { sendEvent } from './send.ts';

/**
 * Sends a sample event now, once, and answers the endpoint's status. Throws ApiError 404, and 400 when the endpoint may
 * not be called or gives no answer.
 */
export async function testWebhook(
  deps: Pick<Deps, 'store' | 'clock' | 'random' | 'webhookSender'>,
  context: Pick<Context, 'actor' | 'signal'>,
  id: string,
  type: WebhookEventType,
): Promise<z.infer<typeof webhookTestResultSchema>> {
  const webhook = await retrieveWebhook(deps, context, id);
  const event = {
    id: formatId('evt_', deps.random.bytes(ID_BYTES)),
    object: 'event' as const,
    type,
    created_at: unixSeconds(deps.clock),
    data: type.startsWith('batch.') ? { id: 'batch_test' } : { test: true },
  };
  try {
    const { status } = await sendEvent(deps, webhook, event, context.signal);
    return {
      object: 'webhook_endpoint.test',
      webhook_endpoint_id: id,
      event_type: type,
      status_code: status,
      success: true,
    };
  } catch (error) {
    if (error instanceof WebhookRefusal) throw refusedUrl(error);
    if (!(error instanceof HttpFailure)) throw error;
    throw new ApiError(400, `The endpoint gave no answer: ${error.message}. Check its URL, and that it is up.`, {
      code: 'webhook_unreachable',
      param: 'url',
    });
  }
}
