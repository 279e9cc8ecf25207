/** A stored route: a name and a routing config (protocol/route.ts) as JSON. Names are unique within a tenant. */
export interface RouteRow {
  id: string;
  tenantId: string;
  name: string;
  config: unknown;
  createdAt: number;
  updatedAt: number;
}

export interface StoreRoutes {
  /** Adds or replaces by (tenant, name); the stored row comes back with its first id and creation time. */
  put(row: RouteRow): Promise<RouteRow>;
  get(tenantId: string, name: string): Promise<RouteRow | null>;
  list(tenantId: string): Promise<RouteRow[]>;
  delete(tenantId: string, name: string): Promise<boolean>;
}
