import { performance } from 'node:perf_hooks';

/** Something that can run out of time; `place` and `expiresAt` are kept by those that watch it. */
interface Expiring {
  place: number;
  /** Milliseconds of the monotonic clock. */
  expiresAt: number;
  expire(): void;
}

const SWEEP_MS = 100;

/** Whether a call may be over with the next sweep. */
export function isNearlyOver({ expiresAt }: Pick<Expiring, 'expiresAt'>): boolean {
  return expiresAt - performance.now() < SWEEP_MS;
}

/**
 * All calls in flight and their deadlines, swept by one coarse timer: a timer object for each call would cost more than
 * the call's own bookkeeping. A call expires at its deadline or up to 100 ms later, never earlier.
 *
 * An array and not a Set: each table that a Set outgrows keeps the next one, so that once one of them is old, every call
 * that was in a table when it was outgrown stays in memory with all it holds until old garbage is collected.
 */
export class InFlight<Call extends Expiring> {
  readonly #calls: Call[] = [];
  readonly #swept: (nowMs: number) => void;
  #timer: NodeJS.Timeout | null = null;

  /** `swept` is told the time by the monotonic clock with every sweep. */
  constructor(swept: (nowMs: number) => void = () => undefined) {
    this.#swept = swept;
  }

  add(call: Call, timeoutMs: number): void {
    call.expiresAt = performance.now() + timeoutMs;
    call.place = this.#calls.length;
    this.#calls.push(call);
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** Watches a call no more that was added. */
  remove(call: Call): void {
    const last = this.#calls.pop();
    if (last === undefined || last === call) return;
    this.#calls[call.place] = last;
    last.place = call.place;
  }

  /** Those of now; each may be removed while they are gone through. */
  all(): Call[] {
    return [...this.#calls];
  }

  /** Ends the timer; nothing expires any more. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #sweep(): void {
    const now = performance.now();
    for (const call of this.#calls.filter(({ expiresAt }) => expiresAt <= now)) call.expire();
    this.#swept(now);
    if (this.#calls.length === 0) this.stop();
  }
}
