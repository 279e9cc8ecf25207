const INTERVAL_MS = 10;
/** Timers are this inexact by themselves. */
const INEXACT_MS = 2;
const UNASKED_MS = 1_000;

/**
 * How late this process comes to what waits for it: a busy event loop finds an answer some time after it arrived, and
 * that time is no fault of whoever answered. A timer that comes late tells. It runs only while somebody asks.
 */
export class Lateness {
  private timer: ReturnType<typeof setInterval> | null = null;
  private latestTick = 0;
  /** The one before: what arrived during a busy turn is found in the next one. */
  private earlierTick = 0;
  private askedAt = 0;

  /** Milliseconds for which what is noticed now may have been there already; 0 when that is not known yet. */
  ms(): number {
    const now = performance.now();
    this.askedAt = now;
    if (this.timer === null) {
      this.latestTick = now;
      this.earlierTick = now;
      this.timer = setInterval(() => this.tick(), INTERVAL_MS).unref();
    }
    return Math.max(0, now - this.earlierTick - 2 * INTERVAL_MS - INEXACT_MS);
  }

  private tick(): void {
    this.earlierTick = this.latestTick;
    this.latestTick = performance.now();
    if (this.timer === null || this.latestTick - this.askedAt < UNASKED_MS) return;
    clearInterval(this.timer);
    this.timer = null;
  }
}
