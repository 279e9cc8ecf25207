/**
 * Exact counts since the start or the last reset. `received` are requests to model endpoints, and each of them ends as exactly
 * one of: a complete answer (`by_status`), `resets`, `resets_mid_body`, `hangs`, `client_aborts` or `crash_cuts`; a hang is
 * counted when it begins. Everything else that is asked of the server counts as `other_requests`.
 */
export interface Counters {
  received: number;
  other_requests: number;
  by_endpoint: Map<string, number>;
  by_status: Map<number, number>;
  by_finish_reason: Map<string, number>;
  resets: number;
  resets_mid_body: number;
  hangs: number;
  /** The client went away before its answer was complete. */
  client_aborts: number;
  /** Requests in flight when the server crashed or stopped. */
  crash_cuts: number;
  /** Complete 200 answers whose body was made unreadable, or was dripped; both are in `by_status` too. */
  bad_json: number;
  slow_bodies: number;
  running: number;
  waiting: number;
  max_running: number;
  max_waiting: number;
  /** Tokens of good answers handed over completely. */
  tokens_in: number;
  tokens_out: number;
  cached_tokens: number;
  /** Tokens of work done for answers that were cut off or unreadable. */
  lost_tokens_in: number;
  lost_tokens_out: number;
  /** Requests received, and good answers handed over, by the key that `count_by` extracts. */
  by_custom: Map<string, number>;
  answered_by_custom: Map<string, number>;
}

/** All zero. */
export function newCounters(): Counters {
  return {
    received: 0,
    other_requests: 0,
    by_endpoint: new Map(),
    by_status: new Map(),
    by_finish_reason: new Map(),
    resets: 0,
    resets_mid_body: 0,
    hangs: 0,
    client_aborts: 0,
    crash_cuts: 0,
    bad_json: 0,
    slow_bodies: 0,
    running: 0,
    waiting: 0,
    max_running: 0,
    max_waiting: 0,
    tokens_in: 0,
    tokens_out: 0,
    cached_tokens: 0,
    lost_tokens_in: 0,
    lost_tokens_out: 0,
    by_custom: new Map(),
    answered_by_custom: new Map(),
  };
}

/** Back to zero, except that what is running or waiting now still is. */
export function resetCounters(counters: Counters): void {
  const { running, waiting } = counters;
  Object.assign(counters, newCounters(), { running, waiting, max_running: running, max_waiting: waiting });
}

export function countOne<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The counters as a plain JSON object, maps as objects. */
export function countersAsJson(counters: Counters): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(counters).map(([name, value]) => [name, value instanceof Map ? Object.fromEntries(value) : value]),
  );
}
