import { notFound } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { ListQuery } from '../../ports/store-query.ts';
import { type Page, toPage } from '../../protocol/page.ts';
import type { WebhookObject } from '../../protocol/webhook.ts';
import { tenantScope } from '../keys/tenant.ts';
import { presentWebhook } from './present.ts';

/** A page of the caller's own endpoints; other tenants' for administrators. Throws ApiError 404 for an unknown cursor. */
export async function listWebhooks(
  deps: Pick<Deps, 'store'>,
  { actor }: Pick<Context, 'actor'>,
  { tenantId, ...query }: ListQuery & { tenantId?: string | undefined },
): Promise<Page<WebhookObject>> {
  const rows = await deps.store.webhooks.list(tenantScope(actor, tenantId), { ...query, limit: query.limit + 1 });
  if (rows === null) throw notFound('webhook', query.after ?? '');
  return toPage(rows.map(presentWebhook), query.limit);
}
