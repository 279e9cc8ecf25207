/** Something that can run out of time. */
interface Expiring {
  expire(): void;
}

const tickMs = 100;

/**
 * The deadlines of all calls in flight, swept by one coarse timer: a timer object for each call would cost more than the
 * call's own bookkeeping. A call expires at its deadline or up to 200 ms later, never earlier.
 */
export class Deadlines<Call extends Expiring> {
  readonly #callsByTick = new Map<number, Set<Call>>();
  #timer: NodeJS.Timeout | null = null;

  /** Watches a call; returns the tick that `remove` wants back. */
  add(call: Call, timeoutMs: number): number {
    const tick = Math.ceil((performance.now() + timeoutMs) / tickMs);
    const calls = this.#callsByTick.get(tick);
    if (calls === undefined) this.#callsByTick.set(tick, new Set([call]));
    else calls.add(call);
    this.#timer ??= setInterval(() => this.#sweep(), tickMs).unref();
    return tick;
  }

  remove(call: Call, tick: number): void {
    const calls = this.#callsByTick.get(tick);
    if (calls?.delete(call) && calls.size === 0) this.#callsByTick.delete(tick);
  }

  /** Ends the timer; nothing expires any more. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#callsByTick.clear();
  }

  #sweep(): void {
    const now = performance.now() / tickMs;
    for (const [tick, calls] of this.#callsByTick) {
      if (tick > now) continue;
      this.#callsByTick.delete(tick);
      for (const call of calls) call.expire();
    }
    if (this.#callsByTick.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
