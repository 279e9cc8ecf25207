import type { z } from '@hono/zod-openapi';
import { formatId, ID_BYTES } from '../../core/ids.ts';
import { completeLimits } from '../../core/key-budget.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { KeyRow } from '../../ports/store-keys.ts';
import type { keyCreateSchema } from '../../protocol/key.ts';
import { requireAdmin } from './require-admin.ts';
import { hashSecret, newSecret, secretPrefix } from './secret.ts';
import { DEFAULT_TENANT } from './tenant.ts';

export type KeyInput = z.infer<typeof keyCreateSchema>;

/** Makes a key for any tenant. The secret is in this answer and nowhere else. Throws 403 for others than admins. */
export async function createKey(
  deps: Pick<Deps, 'store' | 'clock' | 'random' | 'log'>,
  context: Pick<Context, 'actor'>,
  input: KeyInput,
): Promise<{ row: KeyRow; secret: string }> {
  requireAdmin(context.actor);
  const made = await storeNewKey(deps, input);
  deps.log.info(
    { keyId: made.row.id, role: made.row.role, tenantId: made.row.tenantId, by: context.actor.keyId },
    'key created',
  );
  return made;
}

/** Stores a new key without asking who may. */
export async function storeNewKey(
  deps: Pick<Deps, 'store' | 'clock' | 'random'>,
  input: KeyInput,
): Promise<{ row: KeyRow; secret: string }> {
  const secret = newSecret(deps.random);
  const row: KeyRow = {
    // Not from the context: a repeated call cannot make the same secret again, so it must not make the same id.
    id: formatId('key_', deps.random.bytes(ID_BYTES)),
    tenantId: input.tenant_id ?? DEFAULT_TENANT,
    name: input.name,
    role: input.role,
    prefix: secretPrefix(secret),
    hash: hashSecret(secret),
    limits: completeLimits(input.limits),
    createdAt: unixSeconds(deps.clock),
    revokedAt: null,
  };
  await deps.store.keys.insert(row);
  return { row, secret };
}
