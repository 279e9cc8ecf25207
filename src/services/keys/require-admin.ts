import { ApiError } from '../../core/api-error.ts';
import type { Actor } from '../../ports/deps.ts';

/** Throws 403 unless the actor is an administrator. */
export function requireAdmin(actor: Actor): void {
  if (actor.role === 'admin') return;
  throw new ApiError(403, 'This needs an admin key. Ask the operator of this server for one.', {
    code: 'admin_required',
  });
}
