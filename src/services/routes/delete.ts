import type { Context, Deps } from '../../ports/deps.ts';
import { noSuchRoute } from './get.ts';
import { refuseConfigured } from './put.ts';

/**
 * Deletes a stored route; running batches keep theirs. Throws 404 when there is none, 409 for a route of the config
 * file (a stored one hidden behind a newer config can still be deleted).
 */
export async function deleteRoute(
  deps: Pick<Deps, 'store' | 'configRoutes'>,
  context: Pick<Context, 'actor'>,
  name: string,
): Promise<{ id: string; object: 'route'; name: string; deleted: true }> {
  const { tenantId } = context.actor;
  const row = await deps.store.routes.get(tenantId, name);
  if (row === null) refuseConfigured(deps, name);
  if (row === null || !(await deps.store.routes.delete(tenantId, name))) throw noSuchRoute(name);
  return { id: row.id, object: 'route', name, deleted: true };
}
