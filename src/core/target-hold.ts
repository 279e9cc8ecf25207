/**
 * Whether a target is sent batch lines, by what it says of the account: a key that is refused, or money that is missing,
 * is no line's fault, and every other line would be refused as well.
 *
 *   open ──(refused in a row)──▶ held ──(one line now and then gets an answer)──▶ open
 *                                  └──(refused for too long)──▶ given up ──(an answer)──▶ open
 *
 * Of a held target lines keep away: they wait, or go elsewhere. To one that is given up they are sent, and fail with what
 * the provider says.
 */
import type { Failure } from './failure.ts';
import { backoffMs } from './retry.ts';

const REFUSED_TO_HOLD = 5;
const REFUSED_TO_HOLD_MAX = 640;
/** People mend it, in minutes: a look now and then is enough. */
const PAUSE_MAX_MS = 5_000;
/** Where it may be the lines after all, a run of them is to be gone through soon. */
const DOUBTED_PAUSE_MAX_MS = 1_000;

export type HoldState = 'open' | 'held' | 'given_up';

/** Whether a failure is about the account for sure; a refused permission may be so, where others are refused too. */
export function accountSign({ kind, ofRequest }: Failure): 'sure' | 'likely' | 'none' {
  if (kind === 'authentication' || kind === 'quota_exhausted') return 'sure';
  return kind === 'permission' && ofRequest !== true ? 'likely' : 'none';
}

/** Times are milliseconds of a steady clock. */
export class TargetHold {
  /** Why it was refused last; null while it is open. */
  failure: Failure | null = null;
  /** Since when nothing but refusals came; null for never. */
  since: number | null = null;
  private maxMs: number;
  private readonly provenMaxMs: number;
  private refusedAt = 0;
  private inARow = 0;
  private needed = REFUSED_TO_HOLD;
  private openings = 0;
  private pausedUntil = 0;

  /** `maxMs`: it is held no longer than this, and than `unprovenMaxMs` until its first answer; 0: never. */
  constructor(maxMs: number, unprovenMaxMs = maxMs) {
    this.provenMaxMs = maxMs;
    this.maxMs = Math.min(maxMs, unprovenMaxMs);
  }

  state(nowMs: number): HoldState {
    if (this.since === null) return 'open';
    if (nowMs - this.since >= this.maxMs) return this.inARow >= this.needed ? 'given_up' : 'open';
    return this.openings > 0 ? 'held' : 'open';
  }

  /** Milliseconds until a line may be sent; infinite while the fate of one decides. `probes`: lines sent since it is held. */
  waitMs(nowMs: number, probes: number): number {
    if (this.state(nowMs) !== 'held') return 0;
    if (nowMs < this.pausedUntil) return this.pausedUntil - nowMs;
    return probes > 0 ? Number.POSITIVE_INFINITY : 0;
  }

  /** Takes in a refusal that may be about the account; true where its line is to be kept. `unit` is uniform in [0, 1). */
  refused(failure: Failure, nowMs: number, unit: number): boolean {
    // What nobody asked about for so long is a new case.
    if (this.since === null || nowMs - this.refusedAt > this.maxMs) this.since = nowMs;
    this.refusedAt = nowMs;
    this.failure = failure;
    this.inARow += 1;
    if (nowMs - this.since >= this.maxMs) return false;
    const isSure = accountSign(failure) === 'sure';
    if (this.inARow >= this.needed && nowMs >= this.pausedUntil) {
      this.openings += 1;
      const asked = Math.max(failure.retryAfterMs ?? 0, 100 + backoffMs(this.openings, unit));
      this.pausedUntil = nowMs + Math.min(isSure ? PAUSE_MAX_MS : DOUBTED_PAUSE_MAX_MS, asked);
    }
    return isSure || this.openings > 0;
  }

  /** Takes in an answer, which only who is let in gets. */
  answered(): void {
    // Permissions that are refused to some lines among others are about those.
    if (this.openings > 0 && this.failure?.kind === 'permission') {
      this.needed = Math.min(REFUSED_TO_HOLD_MAX, 2 * this.needed);
    }
    this.maxMs = this.provenMaxMs;
    this.failure = null;
    this.since = null;
    this.inARow = 0;
    this.openings = 0;
    this.pausedUntil = 0;
  }
}
