import { ApiError } from '../../core/api-error.ts';
import type { Actor, Deps } from '../../ports/deps.ts';
import { EVAL_TARGETS_MAX, type EvalRunCreate, type EvalTarget } from '../../protocol/eval-run.ts';
import type { Route } from '../../protocol/route.ts';
import { resolveRoute } from '../routes/resolve.ts';

/** The targets that a run names one by one, or those of the route that it names. Throws 400 for an unknown route. */
export async function listTargets(
  deps: Deps,
  actor: Actor,
  targets: EvalRunCreate['targets'],
): Promise<EvalTarget[] | undefined> {
  if (typeof targets !== 'string') return targets;
  const { route } = await resolve(deps, actor, targets);
  const nodes = route.targets ?? [];
  if (nodes.length === 0) return [{ name: targets, model: targets, config: targets }];
  if (nodes.length > EVAL_TARGETS_MAX) {
    const message = `The route '${targets}' has ${nodes.length} targets; a run compares at most ${EVAL_TARGETS_MAX}. Name them as 'targets', one by one.`;
    throw new ApiError(400, message, { code: 'invalid_value', param: 'targets' });
  }
  const seen = new Map<string, number>();
  return nodes.map((node) => {
    const { provider, model } = node;
    const called = node.name ?? (provider !== undefined && model !== undefined ? `${provider}/${model}` : targets);
    const count = (seen.get(called) ?? 0) + 1;
    seen.set(called, count);
    return { name: count === 1 ? called : `${called} ${count}`, model: targets, config: alone(route, node) };
  });
}

async function resolve(deps: Deps, actor: Actor, name: string) {
  try {
    return await resolveRoute(deps, actor, name);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new ApiError(400, error.message, { code: error.code ?? 'route_not_found', param: 'targets' });
  }
}

/** One target of a route, with what the route says for all of them. */
function alone(route: Route, node: Route): Record<string, unknown> {
  const common = stated({ ...route, name: undefined, strategy: undefined, targets: undefined, rescue: undefined });
  const target = stated({ ...node, name: undefined, weight: undefined });
  if (Object.keys(common).length === 0) return target;
  return { ...common, strategy: { mode: 'single' }, targets: [target] };
}

/** Without members that are undefined. */
function stated(value: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
}
