import { notFound } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { ListQuery } from '../../ports/store-query.ts';
import type { KeyObject } from '../../protocol/key.ts';
import { type Page, toPage } from '../../protocol/page.ts';
import { toKeyObject } from './present.ts';
import { requireAdmin } from './require-admin.ts';
import { tenantScope } from './tenant.ts';

/**
 * A page of keys, revoked ones included: of one tenant, or of all where none is named. Throws 403 for others than
 * admins, 404 for an unknown cursor.
 */
export async function listKeys(
  deps: Pick<Deps, 'store'>,
  context: Pick<Context, 'actor'>,
  { tenantId, ...query }: ListQuery & { tenantId?: string | undefined },
): Promise<Page<KeyObject>> {
  requireAdmin(context.actor);
  const scope = tenantScope(context.actor, tenantId ?? '*');
  const rows = await deps.store.keys.list(scope, { ...query, limit: query.limit + 1 });
  if (rows === null) throw notFound('key', query.after ?? '');
  return toPage(rows.map(toKeyObject), query.limit);
}
