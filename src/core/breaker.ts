/**
 * Whether a member of a target may be called now.
 *
 *   closed ──(failures in a row)──▶ open ──(pause over)──▶ probing ──(success)──▶ closed
 *                                    ▲                        │
 *                                    └───────(failure)────────┘
 *
 * Single refusals are left to the line's own backoff: one 429 among many answers says nothing about the target.
 */
import { backoffMs } from './retry.ts';

const FAILURES_TO_OPEN = 5;
const REFUSED_TO_OPEN = 2;
const PAUSE_MAX_MS = 60_000;
const UNREACHABLE_PAUSE_MAX_MS = 5_000;

export type Trouble = 'pressure' | 'unreachable' | 'outage';

export class Breaker {
  private inARow = 0;
  private openings = 0;
  private openUntil = 0;
  private probing = false;
  private trouble: Trouble | null = null;
  private unreachableAt = 0;

  /**
   * Milliseconds until a call may start: 0 when one may start now. While probing, one at a time: `probes` are out. What
   * was out when it opened may hang for long, and says nothing of how the member is now.
   */
  waitMs(nowMs: number, probes: number): number {
    if (nowMs < this.openUntil) return this.openUntil - nowMs;
    return this.probing && probes > 0 ? Number.POSITIVE_INFINITY : 0;
  }

  get closed(): boolean {
    return this.openings === 0;
  }

  /** Opened because nothing answers there, or nothing that serves; it stays so while a probe is out. */
  get unreachable(): boolean {
    return this.trouble !== 'pressure' && this.openings > 0;
  }

  /** Since when it is unreachable, by the clock of `failure`; null while it is not. */
  get unreachableSince(): number | null {
    return this.unreachable ? this.unreachableAt : null;
  }

  success(): void {
    this.inARow = 0;
    this.openings = 0;
    this.openUntil = 0;
    this.probing = false;
    this.trouble = null;
  }

  /** Counts one failed call; opens when there are enough in a row. `unit` is uniform in [0, 1). */
  failure(trouble: Trouble, retryAfterMs: number | null, nowMs: number, unit: number): void {
    if (this.trouble !== trouble) this.inARow = 0;
    if (!this.unreachable) this.unreachableAt = nowMs;
    this.trouble = trouble;
    this.inARow += 1;
    const needed = trouble === 'unreachable' ? REFUSED_TO_OPEN : FAILURES_TO_OPEN;
    // Calls that were already out when it opened fail too: they open it no further.
    if (nowMs < this.openUntil || (!this.probing && this.inARow < needed)) return;
    this.openings += 1;
    const limit = trouble === 'pressure' ? PAUSE_MAX_MS : UNREACHABLE_PAUSE_MAX_MS;
    const pause = Math.min(limit, Math.max(retryAfterMs ?? 0, 100 + backoffMs(this.openings, unit)));
    this.openUntil = nowMs + pause;
    this.probing = true;
  }
}
