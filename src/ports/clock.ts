/** Time, injected so that decisions can be tested. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Monotonic microseconds, for measuring durations. */
  micros(): number;
  /** Resolves after `ms`, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Unix seconds, the unit of every timestamp on the wire and in the store. */
export function unixSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}
