import type { Clock } from '../../ports/clock.ts';

/** A client's place among those that wait for a call. */
export interface Place {
  /** Resolves when there is news of the call, after `ms`, or when `signal` aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  leave(): void;
}

/** Clients that wait here for the answers of parked calls. */
export class Waiters {
  private readonly clock: Clock;
  /** By id of the call: how many wait, and how to wake them. */
  private readonly calls = new Map<string, Set<AbortController>>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Clients that wait for this call. */
  count(id: string): number {
    return this.calls.get(id)?.size ?? 0;
  }

  /** The calls that somebody waits for. */
  ids(): string[] {
    return [...this.calls.keys()];
  }

  /** Counts a client as waiting until `leave`. */
  enter(id: string): Place {
    const woken = new AbortController();
    const waiting = this.calls.get(id) ?? new Set();
    waiting.add(woken);
    this.calls.set(id, waiting);
    return {
      wait: (ms, signal) => this.clock.sleep(ms, AbortSignal.any([woken.signal, signal])),
      leave: () => {
        waiting.delete(woken);
        if (waiting.size === 0) this.calls.delete(id);
      },
    };
  }

  /** There is news of these calls. */
  wake(ids: Iterable<string>): void {
    for (const id of ids) for (const woken of this.calls.get(id) ?? []) woken.abort();
  }

  wakeAll(): void {
    this.wake([...this.calls.keys()]);
  }
}
