import { performance } from 'node:perf_hooks';

const INTERVAL_MS = 10;
/** Timers are this inexact by themselves. */
const INEXACT_MS = 2;
/** Answers may take long. */
const UNASKED_MS = 60_000;
/** From here on it was no busy turn: the process was stopped, or its machine was. */
const STANDSTILL_MS = 500;
const STANDSTILLS_MAX = 16;

/**
 * How late this process comes to what waits for it: a busy event loop finds an answer some time after it arrived, and
 * that time is no fault of whoever answered. A timer that comes late tells. It runs only while somebody asks. After a
 * standstill it takes a while to find all that came meanwhile, so that whatever lasted through it counts without it.
 */
export class Lateness {
  private timer: ReturnType<typeof setInterval> | null = null;
  private latestTick = 0;
  /** The one before: what arrived during a busy turn is found in the next one. */
  private earlierTick = 0;
  private askedAt = 0;
  private standstills: { from: number; until: number }[] = [];

  /**
   * Milliseconds for which what is noticed now, `lastedMs` after it began, may have been there already; 0 when that is not
   * known yet.
   */
  ms(lastedMs: number): number {
    const now = performance.now();
    this.askedAt = now;
    if (this.timer === null) {
      this.latestTick = now;
      this.earlierTick = now;
      this.timer = setInterval(() => this.tick(), INTERVAL_MS).unref();
    }
    return Math.max(0, now - this.earlierTick - 2 * INTERVAL_MS - INEXACT_MS, this.stoodSince(now - lastedMs));
  }

  private stoodSince(began: number): number {
    let stood = 0;
    for (const { from, until } of this.standstills) stood += Math.max(0, until - Math.max(from, began));
    return stood;
  }

  private tick(): void {
    this.earlierTick = this.latestTick;
    this.latestTick = performance.now();
    if (this.latestTick - this.earlierTick > STANDSTILL_MS) {
      this.standstills.push({ from: this.earlierTick, until: this.latestTick });
      this.standstills = this.standstills.slice(-STANDSTILLS_MAX);
    }
    if (this.timer === null || this.latestTick - this.askedAt < UNASKED_MS) return;
    clearInterval(this.timer);
    this.timer = null;
  }
}
