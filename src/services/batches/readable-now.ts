import { ApiError } from '../../core/api-error.ts';
import { steadyMs } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import { type ByteRange, FileMissing, type FileStore, type FileUnreadable } from '../../ports/files.ts';
import { onUnreadable } from '../results/on-unreadable.ts';

const RETRY_SECONDS = 5;
/** Objects, and places in each, that are known not to be readable. */
const OBJECTS_MAX = 1_000;
const PLACES_MAX = 100;

/**
 * The same services for whoever looks at a batch: what the disk cannot read at the moment is an error to come back after,
 * and no lost result. Only the end of a batch, which waits for the disk, may decide that (finalize.ts). Reading throws
 * ApiError (503).
 */
export function readableNow(deps: Deps): Deps {
  return onUnreadable(deps, (key, error) => {
    note(deps, key, error);
    return unreadable();
  });
}

/**
 * As readableNow, for a look that decides nothing: results that could not be read for as long as a batch's end would wait
 * for them are shown as lost, for as long as that lasts. What is bought again is not to be decided by this.
 */
export function readableOrLost(deps: Deps): Deps {
  const reads = readsOf(deps.files);
  return onUnreadable(
    deps,
    (key, error, range) => {
      const boundMs = deps.settings.unreadableSeconds * 1000;
      const lastedMs = reads.failed(key, range, steadyMs(deps.clock), boundMs);
      note(deps, key, error);
      return isPart(key) && lastedMs >= boundMs ? new FileMissing(key) : unreadable();
    },
    (key, range) => reads.worked(key, range),
  );
}

function note({ log }: Deps, key: string, { cause }: FileUnreadable): void {
  log.error({ key, error: String(cause) }, 'the disk cannot read what it has');
}

/** What is not there of a part has a place among the results; of other objects it has not. */
function isPart(key: string): boolean {
  return /^batches\/[^/]+\/parts\//.test(key);
}

/** Objects that could not be read, the one that failed last at the end. */
class FailingReads {
  private readonly objects = new Map<string, { since: number; last: number; places: Set<number> }>();

  /** What could not be read there can be read now; that other places can be tells nothing. */
  worked(key: string, { offset }: ByteRange): void {
    if (this.objects.size > 0 && this.objects.get(key)?.places.has(offset)) this.objects.delete(key);
  }

  /** Takes in a failure; for how many milliseconds nothing else came. What nobody asked about for `caseMs` is a new case. */
  failed(key: string, { offset }: ByteRange, nowMs: number, caseMs: number): number {
    const known = this.objects.get(key);
    const isSame = known !== undefined && nowMs - known.last <= caseMs;
    const { since, places } = isSame ? known : { since: nowMs, places: new Set<number>() };
    if (places.size < PLACES_MAX) places.add(offset);
    this.objects.delete(key);
    this.objects.set(key, { since, last: nowMs, places });
    if (this.objects.size > OBJECTS_MAX) this.objects.delete(this.objects.keys().next().value ?? '');
    return nowMs - since;
  }
}

const failingReads = new WeakMap<FileStore, FailingReads>();

function readsOf(files: FileStore): FailingReads {
  const known = failingReads.get(files) ?? new FailingReads();
  failingReads.set(files, known);
  return known;
}

function unreadable(): ApiError {
  const message =
    'The disk of this server cannot read the results at the moment: nothing is given rather than a part of them. Try ' +
    'again. Once the batch has ended, its output and error files have every line.';
  return new ApiError(503, message, { code: 'storage_unreadable', retryAfterSeconds: RETRY_SECONDS });
}
