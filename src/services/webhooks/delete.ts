import { notFound } from '../../core/api-error.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';

/** Removes an endpoint with what waits for it. Throws ApiError 404. */
export async function deleteWebhook(
  deps: Pick<Deps, 'store' | 'log'>,
  { actor }: Pick<Context, 'actor'>,
  id: string,
): Promise<void> {
  if (!(await deps.store.webhooks.delete(scopeOf(actor), id))) throw notFound('webhook', id);
  deps.log.info({ webhookId: id, by: actor.keyId }, 'webhook deleted');
}
