import type { Window } from './window.ts';

/** A share, and a number, that chance explains. */
const TOLERATED = 0.15;
const TOLERATED_COUNT = 2;

/** What 429s, 503s and timeouts say about the number of requests in flight, which is not always their reason. */
export class Refusals {
  /** The share of them that fewer requests did not help against. */
  private usual = 0;
  /** The limit at which they began. */
  private from: number | null = null;

  tooMany(window: Window): boolean {
    return window.failures > TOLERATED_COUNT && window.failureShare > Math.max(TOLERATED, 2 * this.usual + 0.05);
  }

  /** The next limit after too many: down to where they began. If that never helps, back to where we were. */
  giveWay(window: Window, current: number): number {
    this.from ??= current;
    if (current <= Math.max(1, this.from / 8)) {
      const { from } = this;
      this.usual = window.failureShare;
      this.from = null;
      return from;
    }
    return Math.max(1, Math.round(Math.min(0.9 * current, Math.max(0.5 * current, window.leastRefusedAt - 1))));
  }

  passed(window: Window): void {
    this.usual = Math.min(this.usual, window.failureShare);
    this.from = null;
  }
}
