/** Time, injected so that decisions can be tested. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Looks again at the time it keeps, where that is another's. Rejects when nobody answers. */
  sync?(): Promise<void>;
  /** Monotonic microseconds, for measuring durations. */
  micros(): number;
  /**
   * Milliseconds for which what is noticed now, `lastedMs` after it began, may have been there already, as this process was
   * busy or stood still; absent: not known.
   */
  lateMs?(lastedMs: number): number;
  /** Resolves after `ms`, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once what has come in by now is read, and what is to be sent by now is written. Absent: there is no such moment. */
  afterTurn?(run: () => void): void;
}

/** Monotonic milliseconds, for waits: a wall clock that is set would cut them short or draw them out. */
export function steadyMs(clock: Pick<Clock, 'micros'>): number {
  return clock.micros() / 1000;
}

/** Waits for `done`, but no longer than `ms`: whether it came in time. Rejects as `done` does. */
export async function cameInTime(clock: Pick<Clock, 'sleep'>, done: Promise<unknown>, ms: number): Promise<boolean> {
  const over = new AbortController();
  try {
    return await Promise.race([done.then(() => true), clock.sleep(ms, over.signal).then(() => false)]);
  } finally {
    over.abort();
  }
}

/** Unix seconds, the unit of every timestamp on the wire and in the store. */
export function unixSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}

/** Unix seconds of a moment that `steadyMs` told. */
export function unixSecondsOf(clock: Clock, steady: number): number {
  return Math.floor((clock.now() - (steadyMs(clock) - steady)) / 1000);
}
