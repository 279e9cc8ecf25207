import type { z } from '@hono/zod-openapi';
import { ApiError } from '../../core/api-error.ts';
import { completeLimits } from '../../core/key-budget.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { KeyRow } from '../../ports/store-keys.ts';
import type { keyCreateSchema } from '../../protocol/key.ts';
import { requireAdmin } from './require-admin.ts';
import { hashSecret, newSecret, secretPrefix } from './secret.ts';
import { DEFAULT_TENANT } from './tenant.ts';

export type KeyInput = z.infer<typeof keyCreateSchema>;

/**
 * Makes a key for any tenant. The secret is in this answer and nowhere else: repeated after a run whose answer nobody got, it
 * gives the key of that run a new one. Throws 403 for others than admins, and 409 for a key that was revoked since that run.
 */
export async function createKey(
  deps: Pick<Deps, 'store' | 'clock' | 'random' | 'log'>,
  context: Pick<Context, 'actor' | 'newId' | 'repeats'>,
  input: KeyInput,
): Promise<{ row: KeyRow; secret: string }> {
  requireAdmin(context.actor);
  const made = await storeNewKey(deps, input, { id: context.newId('key_'), again: context.repeats === true });
  deps.log.info(
    { keyId: made.row.id, role: made.row.role, tenantId: made.row.tenantId, by: context.actor.keyId },
    'key created',
  );
  return made;
}

/**
 * Stores a new key without asking who may. `again`: an earlier run may have made it. Throws ApiError 409 where its secret is
 * not the one that counts.
 */
export async function storeNewKey(
  deps: Pick<Deps, 'store' | 'clock' | 'random'>,
  input: KeyInput,
  { id, again = false }: { id: string; again?: boolean },
): Promise<{ row: KeyRow; secret: string }> {
  const secret = newSecret(deps.random);
  const row: KeyRow = {
    id,
    tenantId: input.tenant_id ?? DEFAULT_TENANT,
    name: input.name,
    role: input.role,
    prefix: secretPrefix(secret),
    hash: hashSecret(secret),
    limits: completeLimits(input.limits),
    createdAt: unixSeconds(deps.clock),
    revokedAt: null,
  };
  const stored = await deps.store.keys.insert(row, again);
  if (stored.hash !== row.hash) throw takenFrom(stored);
  return { row: stored, secret };
}

function takenFrom({ id, revokedAt }: KeyRow): ApiError {
  if (revokedAt !== null) {
    const message = `The key that this call made, ${id}, was revoked since. Make another under a new Idempotency-Key.`;
    return new ApiError(409, message, { code: 'key_revoked', param: 'Idempotency-Key' });
  }
  const message = 'Another run of this call has made the key. Try again in a moment.';
  return new ApiError(409, message, { code: 'idempotency_key_in_use', retryAfterSeconds: 1 });
}
