import { notFound } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { type Context, type Deps, scopeOf } from '../../ports/deps.ts';

/**
 * Deletes a file. It is gone for every reader at once; its bytes go when no live batch needs them any more, nor a provider
 * batch that was given up and may still cost.
 * Throws ApiError 404.
 */
export async function deleteFile(
  deps: Deps,
  context: Context,
  id: string,
): Promise<{ id: string; object: 'file'; deleted: true }> {
  const deleted = await deps.store.files.markDeleted(scopeOf(context.actor), id, unixSeconds(deps.clock));
  if (!deleted) throw notFound('file', id);
  deps.nudge();
  return { id, object: 'file', deleted: true };
}
