import { ApiError } from '../../core/api-error.ts';
import type { Actor } from '../../ports/deps.ts';
import type { Scope } from '../../ports/store-query.ts';

/** The tenant of keys for which none is named, and of the operator's own admin key. */
export const DEFAULT_TENANT = 'default';

/** Whose rows are meant: the actor's own tenant, the one named, or `*` for all. 403 for others than administrators. */
export function tenantScope(actor: Actor, asked: string | undefined): Scope {
  if (asked === undefined || asked === actor.tenantId) return { tenantId: actor.tenantId };
  if (actor.role !== 'admin') {
    throw new ApiError(403, "Only an admin key may see other tenants' objects. Leave 'tenant_id' out.", {
      code: 'admin_required',
      param: 'tenant_id',
    });
  }
  return asked === '*' ? 'all' : { tenantId: asked };
}
