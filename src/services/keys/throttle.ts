/** Counts failures by source in fixed windows. Remembers at most `maxSources`; the oldest are forgotten first. */
export class FailureThrottle {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #maxSources: number;
  readonly #failures = new Map<string, { count: number; until: number }>();

  constructor(limit: number, windowMs: number, maxSources: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#maxSources = maxSources;
  }

  /** Milliseconds until the source may try again; 0 when it may now. */
  waitMs(source: string, now: number): number {
    const entry = this.#failures.get(source);
    if (entry === undefined || entry.until <= now || entry.count < this.#limit) return 0;
    return entry.until - now;
  }

  fail(source: string, now: number): void {
    const entry = this.#failures.get(source);
    if (entry !== undefined && entry.until > now) {
      entry.count += 1;
      return;
    }
    this.#failures.delete(source);
    this.#failures.set(source, { count: 1, until: now + this.#windowMs });
    if (this.#failures.size > this.#maxSources) {
      const oldest = this.#failures.keys().next();
      if (!oldest.done) this.#failures.delete(oldest.value);
    }
  }
}
