import { notFound } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { ListQuery } from '../../ports/store-query.ts';
import type { KeyObject } from '../../protocol/key.ts';
import { type Page, toPage } from '../../protocol/page.ts';
import { toKeyObject } from './present.ts';
import { requireAdmin } from './require-admin.ts';

/** A page of all tenants' keys, revoked ones included. Throws 403 for others than admins, 404 for an unknown cursor. */
export async function listKeys(
  deps: Pick<Deps, 'store'>,
  context: Pick<Context, 'actor'>,
  query: ListQuery,
): Promise<Page<KeyObject>> {
  requireAdmin(context.actor);
  const rows = await deps.store.keys.list({ ...query, limit: query.limit + 1 });
  if (rows === null) throw notFound('key', query.after ?? '');
  return toPage(rows.map(toKeyObject), query.limit);
}
