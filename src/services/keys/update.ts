import type { z } from '@hono/zod-openapi';
import { notFound } from '../../core/api-error.ts';
import { completeLimits } from '../../core/key-budget.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { KeyRow } from '../../ports/store-keys.ts';
import type { keyUpdateSchema } from '../../protocol/key.ts';
import { requireAdmin } from './require-admin.ts';

/** Changes a key's name or limits. Throws 403 for others than admins, 404 for an unknown id. */
export async function updateKey(
  deps: Pick<Deps, 'store' | 'log'>,
  context: Pick<Context, 'actor'>,
  id: string,
  change: z.infer<typeof keyUpdateSchema>,
): Promise<KeyRow> {
  requireAdmin(context.actor);
  const row = await deps.store.keys.update(id, {
    ...(change.name !== undefined && { name: change.name }),
    ...(change.limits !== undefined && { limits: completeLimits(change.limits) }),
  });
  if (row === null) throw notFound('key', id);
  deps.log.info({ keyId: id, by: context.actor.keyId }, 'key changed');
  return row;
}
