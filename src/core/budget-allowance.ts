/**
 * What one process may have under way of a batch that budgets cover. It draws from what the budgets leave in the writes
 * that commit its results, and what it drew is nobody else's: whatever processes, batches and calls share a budget, they
 * together spend it and no more than a line each beside it. Pure: times come as arguments, in milliseconds of one clock.
 */

/** What a process asks for when it commits, in nano-USD. */
export interface AllowanceAsk {
  /** Who asks: the word under which it leases. */
  taker: string;
  /** What its lines may come to that have no committed result once the commit is made. */
  underWayNano: number;
  /** What it goes on to need of the allowance that it has, at least what is under way. */
  keptNano: number;
  /** The line that had to wait for more. */
  wishedNano: number;
}

/** How often one that has not enough asks without results to commit. */
const ASK_AGAIN_MS = 1_000;

export class Allowance {
  /** What the lines may come to that were sent and have no result yet. */
  outstanding = 0;
  /** What was spent and is not committed yet. */
  uncommitted = 0;
  private readonly taker: string;
  /** null: no budget covers the batch. */
  private granted: number | null = null;
  /** Afterwards the lease may be somebody else's, and with it what was drawn. */
  private goodUntil = Number.NEGATIVE_INFINITY;
  private wished: number | null = null;
  private askedAt = Number.NEGATIVE_INFINITY;

  constructor(taker: string) {
    this.taker = taker;
  }

  get bounded(): boolean {
    return this.granted !== null;
  }

  /** Whether a line that may come to `bound` may be sent. While anything is left, one line may, whatever it comes to. */
  maySpend(bound: number, nowMs: number): boolean {
    if (this.granted === null) return true;
    const rest = this.granted - this.uncommitted;
    const isEnough = rest > 0 && (this.outstanding === 0 || this.outstanding + bound <= rest);
    if (isEnough && nowMs < this.goodUntil) return true;
    if (!isEnough) this.wished = Math.max(this.wished ?? 0, bound);
    return false;
  }

  /** Whether a line waits for more, and nothing was asked for of late. */
  starves(nowMs: number): boolean {
    return this.wished !== null && nowMs - this.askedAt >= ASK_AGAIN_MS;
  }

  /** What to ask for in a commit of entries that come to `committing`; `more`: there are lines to send afterwards. */
  ask(committing: number, more: boolean, nowMs: number): AllowanceAsk {
    const used = this.uncommitted + this.outstanding;
    // Lines may be sent until the answer is there. Where there are none, what is not under way is given back.
    if (this.granted !== null && !more) this.granted = Math.min(this.granted, used);
    const wishedNano = this.wished ?? 0;
    this.wished = null;
    this.askedAt = nowMs;
    return {
      taker: this.taker,
      underWayNano: used - committing,
      keptNano: Math.max(used, this.granted ?? 0) - committing,
      wishedNano,
    };
  }

  /** Takes in the answer to a commit. */
  grant(granted: number | null): void {
    this.granted = granted;
  }

  /** What was spent has come to the books otherwise than by a commit: it is drawn no more. */
  wasted(amount: number): void {
    this.uncommitted -= amount;
    if (this.granted !== null) this.granted -= amount;
  }

  /** The lease is held at least so long. */
  prolong(untilMs: number): void {
    this.goodUntil = Math.max(this.goodUntil, untilMs);
  }
}
