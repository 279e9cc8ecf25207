import type { Deps } from '../ports/deps.ts';

/**
 * Calls `keep` every third of a lease until `stopped` aborts, which need not wait for each other. By itself, and by waiting:
 * whatever else takes long here, and wherever the wall clock goes, leases are kept. `onClockError`: the clock that all go by
 * does not answer.
 */
export async function keepLeases(
  { clock, settings }: Pick<Deps, 'clock' | 'settings'>,
  stopped: AbortSignal,
  keep: () => Promise<unknown>,
  onClockError: (error: unknown) => void,
): Promise<void> {
  for (;;) {
    await clock.sleep((settings.leaseSeconds * 1000) / 3, stopped);
    if (stopped.aborted) return;
    await Promise.all([keep(), clock.sync?.().catch(onClockError)]);
  }
}
