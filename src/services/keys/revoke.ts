import { ApiError, notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { KeyRow } from '../../ports/store-keys.ts';
import { requireAdmin } from './require-admin.ts';

/**
 * Revokes a key for good; a second time changes nothing. Throws 403 for others than admins, 404 for an unknown id,
 * 409 for the key that asks: so at least one admin key is left to let the operator in.
 */
export async function revokeKey(
  deps: Pick<Deps, 'store' | 'clock' | 'log'>,
  context: Pick<Context, 'actor'>,
  id: string,
): Promise<KeyRow> {
  requireAdmin(context.actor);
  if (id === context.actor.keyId) {
    throw new ApiError(409, 'A key cannot revoke itself. Use another admin key.', { code: 'key_in_use', param: 'id' });
  }
  const row = await deps.store.keys.revoke(id, unixSeconds(deps.clock));
  if (row === null) throw notFound('key', id);
  deps.log.info({ keyId: id, by: context.actor.keyId }, 'key revoked');
  return row;
}
