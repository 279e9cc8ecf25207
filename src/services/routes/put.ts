import { ApiError } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import { type NamedRoute, ROUTE_NAME_PATTERN, ROUTE_NAME_RULE } from '../../protocol/route.ts';
import { presentStored } from './present.ts';
import { validateRoute } from './validate.ts';

const ROUTES_MAX = 1_000;

export type PutRouteDeps = Pick<Deps, 'store' | 'configRoutes' | 'providers' | 'clock'>;

interface RouteInput {
  name: string;
  config: unknown;
}

/**
 * Stores a route of the actor's tenant, in place of an older one of this name; running batches keep theirs. Throws 400
 * for a config that cannot run, 409 for the name of a route in the config file.
 */
export async function putRoute(deps: PutRouteDeps, context: Context, input: RouteInput): Promise<NamedRoute> {
  return store(deps, context, input, context.newId('route_'));
}

/** Stores a route under a new name. Throws as `putRoute`, and 409 for a name that is taken. */
export async function createRoute(deps: PutRouteDeps, context: Context, input: RouteInput): Promise<NamedRoute> {
  const id = context.newId('route_');
  const taken = await deps.store.routes.get(context.actor.tenantId, input.name);
  // The same id is this very call, repeated under its Idempotency-Key after a crash.
  if (taken !== null && taken.id !== id) {
    throw new ApiError(409, `The route '${input.name}' exists. Replace it with PUT /v1/routes/${input.name}.`, {
      code: 'route_exists',
      param: 'name',
    });
  }
  return store(deps, context, input, id);
}

async function store(deps: PutRouteDeps, context: Context, input: RouteInput, id: string): Promise<NamedRoute> {
  if (!ROUTE_NAME_PATTERN.test(input.name)) {
    throw new ApiError(400, `Invalid route name: ${ROUTE_NAME_RULE}.`, { code: 'invalid_value', param: 'name' });
  }
  refuseConfigured(deps, input.name);
  const config = validateRoute(deps, input.config);
  const { tenantId } = context.actor;
  const stored = await deps.store.routes.list(tenantId);
  if (stored.length >= ROUTES_MAX && !stored.some((row) => row.name === input.name)) {
    throw new ApiError(409, `There are already ${ROUTES_MAX} routes. Delete one that is not needed any more.`, {
      code: 'too_many_routes',
    });
  }
  const now = unixSeconds(deps.clock);
  const row = { id, tenantId, name: input.name, config, createdAt: now, updatedAt: now };
  return presentStored(await deps.store.routes.put(row));
}

/** Throws 409 for a name that the config file holds. */
export function refuseConfigured(deps: Pick<Deps, 'configRoutes'>, name: string): void {
  if (!deps.configRoutes.has(name)) return;
  const message = `The route '${name}' is in the server's config file. Change it there, or use another name.`;
  throw new ApiError(409, message, { code: 'route_in_config', param: 'name' });
}
