import { createModelNames, needsModelLists, type ProviderFacts } from '../../core/model-names.ts';
import { routeLeavesProviderOpen } from '../../core/route-steps.ts';
import type { LaneAssignerOptions } from '../../core/routing.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Metadata } from '../../protocol/metadata.ts';
import type { Route } from '../../protocol/route.ts';
import { type DiscoverDeps, discoverModels, listedModels } from './discover.ts';

export interface ResolveQuery {
  tenantId: string;
  /** The batch's own route as stored with it (validated at creation); null when lines find their targets by model. */
  batchRoute: unknown;
  metadata: Metadata | null;
  /** The models that the lines name. */
  models: readonly string[];
}

export type ResolveDeps = DiscoverDeps & Pick<Deps, 'store' | 'configRoutes'>;

/**
 * Everything that core/routing.ts needs to divide the lines of one batch (or one call) without waiting again. Providers
 * are asked for their models only if some name cannot be understood otherwise.
 */
export async function resolveFor(deps: ResolveDeps, query: ResolveQuery): Promise<LaneAssignerOptions> {
  const routes = await routesOf(deps, query.tenantId);
  const batchRoute = query.batchRoute === null ? null : (query.batchRoute as Route);
  const lists = needsLists(deps, routes, batchRoute, query.models) ? await discoverModels(deps) : listedModels(deps);
  const facts = new Map<string, ProviderFacts>();
  for (const [name, provider] of deps.providers) {
    const list = lists.get(name);
    facts.set(name, {
      endpoints: provider.endpoints,
      models: list?.models ?? null,
      silent: list?.models == null && list?.error != null,
      ...(provider.answerLimit && { answerLimit: provider.answerLimit.bind(provider) }),
    });
  }
  return { names: createModelNames(routes, facts), batchRoute, metadata: query.metadata };
}

/** Every route that a tenant's lines may name; its own come before those of the config. */
export async function routesOf(
  deps: Pick<Deps, 'store' | 'configRoutes'>,
  tenantId: string,
): Promise<Map<string, Route>> {
  const stored = await deps.store.routes.list(tenantId);
  return new Map([
    ...[...deps.configRoutes].map(([name, route]) => [name, route as Route] as const),
    ...stored.map((row) => [row.name, row.config as Route] as const),
  ]);
}

function needsLists(
  deps: Pick<Deps, 'providers'>,
  routes: ReadonlyMap<string, Route>,
  batchRoute: Route | null,
  models: readonly string[],
): boolean {
  if (batchRoute !== null) return routeLeavesProviderOpen(batchRoute);
  return models.some((model) => {
    const route = routes.get(model);
    return route === undefined ? needsModelLists(model, routes, deps.providers) : routeLeavesProviderOpen(route);
  });
}
