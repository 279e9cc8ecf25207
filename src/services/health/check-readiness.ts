import type { Deps } from '../../ports/deps.ts';

const checkTimeoutMs = 5_000;
/** No object is ever stored here: asking for its size proves that the store answers. */
const probeKey = 'health/probe';

/** What keeps the server from working, in words for its operator; empty when nothing does. Bounded in time. */
export async function checkReadiness(deps: Pick<Deps, 'store' | 'files' | 'clock' | 'log'>): Promise<string[]> {
  const found = await Promise.all([
    check(deps, 'the database does not answer', () => deps.store.ping()),
    check(deps, 'the file store does not answer', () => deps.files.size(probeKey)),
  ]);
  return found.filter((reason) => reason !== null);
}

async function check(
  deps: Pick<Deps, 'clock' | 'log'>,
  reason: string,
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
    deps.log.warn({ err: error }, reason);
    return reason;
  } finally {
    done.abort();
  }
}
