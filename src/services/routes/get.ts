import { ApiError } from '../../core/api-error.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { NamedRoute } from '../../protocol/route.ts';
import { presentConfigured, presentStored } from './present.ts';

/** The route of this name: the tenant's own, else the config file's. Throws 404. */
export async function getRoute(
  deps: Pick<Deps, 'store' | 'configRoutes'>,
  context: Pick<Context, 'actor'>,
  name: string,
): Promise<NamedRoute> {
  const row = await deps.store.routes.get(context.actor.tenantId, name);
  if (row !== null) return presentStored(row);
  if (deps.configRoutes.has(name)) return presentConfigured(name, deps.configRoutes.get(name));
  throw noSuchRoute(name);
}

export function noSuchRoute(name: string): ApiError {
  return new ApiError(404, `No such route: '${name.slice(0, 128)}'. GET /v1/routes lists what is there.`, {
    code: 'not_found',
    param: 'name',
  });
}
