import { ApiError } from '../../core/api-error.ts';
import type { Deps } from '../../ports/deps.ts';
import { onUnreadable } from '../results/on-unreadable.ts';

const RETRY_SECONDS = 5;

/**
 * The same services for whoever looks at a batch: what the disk cannot read at the moment is an error to come back after,
 * and no lost result. Only the end of a batch, which waits for the disk, may decide that (finalize.ts). Reading throws
 * ApiError (503).
 */
export function readableNow(deps: Deps): Deps {
  return onUnreadable(deps, (key, error) => {
    deps.log.error({ key, error: String(error.cause) }, 'the disk cannot read what it has');
    return unreadable();
  });
}

function unreadable(): ApiError {
  const message =
    'The disk of this server cannot read the results at the moment: nothing is given rather than a part of them. Try ' +
    'again. Once the batch has ended, its output and error files have every line.';
  return new ApiError(503, message, { code: 'storage_unreadable', retryAfterSeconds: RETRY_SECONDS });
}
