import { ApiError } from '../../core/api-error.ts';
import type { Deps } from '../../ports/deps.ts';
import { WebhookRefusal } from '../../ports/webhook-sender.ts';

/** Throws ApiError 400 for a URL that deliveries would not be sent to. */
export async function checkUrl(deps: Pick<Deps, 'webhookSender'>, url: string): Promise<void> {
  try {
    await deps.webhookSender.check(url);
  } catch (error) {
    throw error instanceof WebhookRefusal ? refusedUrl(error) : error;
  }
}

/** What a client is told of a URL that may not be called. */
export function refusedUrl(refusal: WebhookRefusal): ApiError {
  return new ApiError(400, `The URL cannot be used: ${refusal.message}.`, {
    code: 'webhook_url_refused',
    param: 'url',
  });
}
