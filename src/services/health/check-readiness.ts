import { isNoSpace } from '../../core/no-space.ts';
import { steadyMs } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';

const checkTimeoutMs = 5_000;
/** Whoever asks, asks for writes: however often that is, they are done once in this time. */
const checkedMs = 2_000;
/** An object that is written and removed again, to prove that the store takes it. */
const probeKey = 'health/probe';
/** Less room than this is none: the smallest part of a batch may have as much. */
const probeBytes = 64 * 1024;

type ReadinessDeps = Pick<Deps, 'store' | 'files' | 'clock' | 'log'>;

/** Tells what keeps the server from working, in words for its operator; nothing when nothing does. Bounded in time. */
export function readinessOf(deps: ReadinessDeps): () => Promise<string[]> {
  let found: Promise<string[]> | null = null;
  let foundAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = steadyMs(deps.clock);
    if (found === null || now - foundAt >= checkedMs) {
      found = checkReadiness(deps);
      foundAt = now;
    }
    return found;
  };
}

async function checkReadiness(deps: ReadinessDeps): Promise<string[]> {
  const found = await Promise.all([
    check(deps, 'database', () => deps.store.ping()),
    check(deps, 'file store', async () => {
      await deps.files.put(probeKey, new Uint8Array(probeBytes).fill(1));
      await deps.files.delete(probeKey);
    }),
  ]);
  return found.filter((reason) => reason !== null);
}

async function check(
  deps: Pick<Deps, 'clock' | 'log'>,
  what: 'database' | 'file store',
  probe: () => Promise<unknown>,
): Promise<string | null> {
  const done = new AbortController();
  const late = deps.clock.sleep(checkTimeoutMs, done.signal).then(() => {
    if (!done.signal.aborted) throw new Error(`no answer in ${checkTimeoutMs} ms`);
  });
  try {
    await Promise.race([probe(), late]);
    return null;
  } catch (error) {
    const reason = isNoSpace(error)
      ? `the disk of the ${what} is full: what is under way waits until there is room`
      : `the ${what} does not answer`;
    deps.log.warn({ err: error }, reason);
    return reason;
  } finally {
    done.abort();
  }
}
