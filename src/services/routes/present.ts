import type { RouteRow } from '../../ports/store-routes.ts';
import type { NamedRoute, Route } from '../../protocol/route.ts';

/** A stored route as clients see it. */
export function presentStored(row: RouteRow): NamedRoute {
  return {
    id: row.id,
    object: 'route',
    name: row.name,
    config: row.config as Route,
    source: 'stored',
    created_at: row.createdAt,
    updated_at: row.updatedAt,
  };
}

/** A route of the config file: the server does not know since when it is there. */
export function presentConfigured(name: string, config: unknown): NamedRoute {
  return {
    id: `route_config_${name}`,
    object: 'route',
    name,
    config: config as Route,
    source: 'config',
    created_at: 0,
    updated_at: 0,
  };
}
