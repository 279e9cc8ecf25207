import type { Deps } from '../ports/deps.ts';

/** The members of pools are asked how they are, where that is due. */
const LOOK_MS = 2_000;

/** Looks after the members of all providers until `signal` aborts. */
export async function keepLooking(deps: Pick<Deps, 'gates' | 'http' | 'clock'>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await deps.clock.sleep(LOOK_MS, signal);
    await Promise.all([...deps.gates.values()].map((gate) => gate.inspect(deps.http, signal)));
  }
}
