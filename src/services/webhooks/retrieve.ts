import { notFound } from '../../core/api-error.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';
import type { WebhookRow } from '../../ports/store-webhooks.ts';

/** One endpoint in the caller's scope. Throws ApiError 404. */
export async function retrieveWebhook(
  deps: Pick<Deps, 'store'>,
  { actor }: Pick<Context, 'actor'>,
  id: string,
): Promise<WebhookRow> {
  return found(await deps.store.webhooks.get(scopeOf(actor), id), id);
}

/** The row, or the answer for an id that does not exist or is another tenant's. */
export function found(row: WebhookRow | null, id: string): WebhookRow {
  if (row === null) throw notFound('webhook', id);
  return row;
}
