/**
 * Whether a target is sent batch lines, by what it says of the account: a key that is refused, or money that is missing,
 * is no line's fault, and every other line would be refused as well.
 *
 *   open ──(refused in a row)──▶ held ──(one line now and then gets an answer)──▶ open
 *                                  └──(refused for too long)──▶ given up ──(an answer)──▶ open
 *
 * Of a held target lines keep away: they wait, or go elsewhere. To one that is given up they are sent, and fail with what
 * the provider says.
 *
 * An answer tells of the time since its request was sent: one that was under way when the refusals began may have been let
 * in before the account was not.
 */
import type { Failure } from './failure.ts';
import { backoffMs } from './retry.ts';

const REFUSED_TO_HOLD = 5;
const REFUSED_TO_HOLD_MAX = 640;
/** People mend it, in minutes: a look now and then is enough. */
const PAUSE_MAX_MS = 5_000;
/** Where it may be the lines after all, a run of them is to be gone through soon. */
const DOUBTED_PAUSE_MAX_MS = 1_000;

/** A line that was sent on trial is let in if it is not refused for so many times what refusals take, and so long at least. */
const REFUSALS_TAKE = 4;
const LET_IN_MIN_MS = 1_000;

/** A line that nothing else tells of is tried for so long, a handful of times: whoever sends just one line waits for it. */
const ALONE_MAX_MS = 60_000;

export type HoldState = 'open' | 'held' | 'given_up';

/** Whose a refusal is: the line's own, the account's, which may be mended, or nobody can tell yet. */
export type RefusalVerdict = 'own' | 'account' | 'open';

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
  private refusedAt = Number.NEGATIVE_INFINITY;
  /** When the first line was sent of those that were refused in a row. */
  private runAt = 0;
  private inARow = 0;
  private refusalMs = 0;
  /** Since when a permission was refused that nobody knows whose it was; null for never. */
  private openAt: number | null = null;
  /** When the request was sent that was answered, of those the one that was sent last. */
  private letInAt = Number.NEGATIVE_INFINITY;
  private needed = REFUSED_TO_HOLD;
  private openings = 0;
  private pausedUntil = 0;
  /** Whether permissions were refused to lines for their own sake, although never so many that it was held. */
  private refusesLines = false;

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

  /**
   * Milliseconds until a line may be sent. `sentAt`: when the lines were sent that are under way since it is held, the
   * oldest first. One at a time tells, unless it goes on for long: then it was let in, and its answer may take minutes.
   */
  waitMs(nowMs: number, sentAt: Iterable<number>): number {
    if (this.state(nowMs) !== 'held') return 0;
    if (nowMs < this.pausedUntil) return this.pausedUntil - nowMs;
    for (const at of sentAt) {
      // What was under way with the last refusal may hang for long.
      if (at < this.refusedAt) continue;
      return Math.max(0, at + Math.max(LET_IN_MIN_MS, REFUSALS_TAKE * this.refusalMs) - nowMs);
    }
    return 0;
  }

  /** Takes in a refusal that may be about the account. `unit` is uniform in [0, 1). */
  refused(failure: Failure, { sentAt, nowMs, unit }: { sentAt: number; nowMs: number; unit: number }): RefusalVerdict {
    // What nobody asked about for so long is a new case.
    if (this.since === null || nowMs - this.refusedAt > this.maxMs) this.since = nowMs;
    if (this.inARow === 0) this.runAt = sentAt;
    this.refusedAt = nowMs;
    this.refusalMs = nowMs - sentAt;
    this.failure = failure;
    this.inARow += 1;
    if (nowMs - this.since >= this.maxMs) return 'own';
    const isSure = accountSign(failure) === 'sure';
    if (!isSure) this.openAt ??= nowMs;
    if (this.inARow >= this.needed && nowMs >= this.pausedUntil) {
      this.openings += 1;
      const asked = Math.max(failure.retryAfterMs ?? 0, 100 + backoffMs(this.openings, unit));
      this.pausedUntil = nowMs + Math.min(isSure ? PAUSE_MAX_MS : DOUBTED_PAUSE_MAX_MS, asked);
    }
    return isSure || this.openings > 0 ? 'account' : 'open';
  }

  /** What is known by now of a refusal that came at `refusedAt` and was open. */
  verdict(refusedAt: number, nowMs: number): RefusalVerdict {
    if (this.letInAt >= refusedAt) return 'own';
    return this.state(nowMs) === 'held' ? 'account' : 'open';
  }

  /** Takes in an answer to a request that was sent at `sentAt`, which only who is let in gets; whether all is well by it. */
  answered(sentAt: number): boolean {
    this.letInAt = Math.max(this.letInAt, sentAt);
    if (this.openings > 0 && sentAt < this.runAt) return false;
    // Permissions that are refused to some lines among others are about those.
    if (this.openings > 0 && this.failure?.kind === 'permission') {
      this.needed = Math.min(REFUSED_TO_HOLD_MAX, 2 * this.needed);
    }
    if (this.openAt !== null && sentAt >= this.openAt) {
      this.refusesLines = true;
      this.openAt = null;
    }
    this.maxMs = this.provenMaxMs;
    this.failure = null;
    this.since = null;
    this.inARow = 0;
    this.openings = 0;
    this.pausedUntil = 0;
    return true;
  }

  /** Whether a line that was refused for so long may be let in yet, as far as is known: nothing tells but its own tries. */
  timeTells(refusedForMs: number): boolean {
    return !this.refusesLines && !this.wasWrong && refusedForMs < Math.min(ALONE_MAX_MS, this.maxMs);
  }

  /** Whether others were let in when so many lines were refused that it was held: it has lines that are refused for their own sake. */
  get wasWrong(): boolean {
    return this.needed > REFUSED_TO_HOLD;
  }
}
