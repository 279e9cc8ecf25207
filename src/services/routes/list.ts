import type { Context, Deps } from '../../ports/deps.ts';
import type { NamedRoute } from '../../protocol/route.ts';
import { presentConfigured, presentStored } from './present.ts';

/** Every route that the actor's requests may name, by name. */
export async function listRoutes(
  deps: Pick<Deps, 'store' | 'configRoutes'>,
  context: Pick<Context, 'actor'>,
): Promise<NamedRoute[]> {
  const stored = await deps.store.routes.list(context.actor.tenantId);
  const own = new Set(stored.map((row) => row.name));
  const configured = [...deps.configRoutes].filter(([name]) => !own.has(name));
  return [...stored.map(presentStored), ...configured.map(([name, config]) => presentConfigured(name, config))].sort(
    (left, right) => (left.name < right.name ? -1 : 1),
  );
}
