import { ApiError } from '../../core/api-error.ts';
import { INLINE_ROUTE } from '../../core/budget-scope.ts';
import { suggestion } from '../../core/close-names.ts';
import type { Actor, Deps } from '../../ports/deps.ts';
import type { Route } from '../../protocol/route.ts';
import { routesOf } from '../models/resolve.ts';
import { validateRoute } from './validate.ts';

/**
 * The route that a request names: the name of a stored or configured route, or a routing config itself (an object, or
 * its JSON as a header carries it). Throws 400 for an unknown name or a config that cannot run.
 */
export async function resolveRoute(
  deps: Pick<Deps, 'store' | 'configRoutes' | 'providers'>,
  actor: Actor,
  config: string | object,
): Promise<{ route: Route; name: string }> {
  if (typeof config !== 'string') return { route: validateRoute(deps, config), name: INLINE_ROUTE };
  if (config.trimStart().startsWith('{')) return { route: validateRoute(deps, parseJson(config)), name: INLINE_ROUTE };
  const routes = await routesOf(deps, actor.tenantId);
  const route = routes.get(config);
  if (route === undefined) {
    const hint = suggestion(config, routes.keys()) || ' GET /v1/routes lists what is there.';
    throw new ApiError(400, `There is no route '${config.slice(0, 128)}'.${hint}`, {
      code: 'route_not_found',
      param: 'config',
    });
  }
  return { route, name: config };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(400, 'The routing config is not valid JSON. Send an object, or the name of a route.', {
      code: 'invalid_route',
      param: 'config',
    });
  }
}
