import { type KeyLimits, type KeyLimitsInput, NO_KEY_LIMITS } from '../protocol/key.ts';
import { type BudgetCell, MinuteBudget } from './limiter.ts';
import { ownRegion, type Region } from './shared/region.ts';

/** Of each budget, lines of batches leave this part to synchronous calls: a batch does not starve its key's users. */
const INTERACTIVE_PART = 0.1;
/** What three budgets take. */
const REGION_BYTES = 96;

/** Limits as a client or the config states them, with null for what they leave out. */
export function completeLimits(stated: KeyLimitsInput | null | undefined): KeyLimits {
  const set = Object.entries(stated ?? {}).filter(([, limit]) => limit !== undefined);
  return { ...NO_KEY_LIMITS, ...Object.fromEntries(set) };
}

/**
 * What one key may still send. A full minute may be spent at once, as clients of OpenAI's expect. Time is milliseconds
 * of a steady clock; tokens are estimated before a call and corrected after it.
 */
export class KeyBudget {
  private limits: KeyLimits;
  private readonly region: Region;
  private share = 1;
  private requests: MinuteBudget | null;
  private tokens: MinuteBudget | null;
  private batches: MinuteBudget | null;

  /** `region`: where its budgets stand, which all have in common that count for one key. */
  constructor(limits: KeyLimits, nowMs: number, region: Region = ownRegion(REGION_BYTES)) {
    this.limits = limits;
    this.region = region;
    this.requests = minute(limits.requests_per_minute, nowMs, { region, place: 0 });
    this.tokens = minute(limits.tokens_per_minute, nowMs, { region, place: 1 });
    this.batches = minute(limits.batches_per_minute, nowMs, { region, place: 2 });
  }

  get stated(): KeyLimits {
    return this.limits;
  }

  /** What part of the rates, 0 to 1, is spent here: other servers spend the rest. */
  takeShare(share: number, nowMs: number): void {
    if (share === this.share) return;
    this.share = share;
    for (const [budget, limit] of [
      [this.requests, this.limits.requests_per_minute],
      [this.tokens, this.limits.tokens_per_minute],
      [this.batches, this.limits.batches_per_minute],
    ] as const) {
      if (limit !== null) budget?.resize(limit * share, nowMs, burstOf(limit, share));
    }
  }

  /** Takes in limits that may have changed; a budget whose limit is another begins anew. */
  change(limits: KeyLimits, nowMs: number): void {
    const fresh = new KeyBudget(limits, nowMs, this.region);
    fresh.takeShare(this.share, nowMs);
    if (limits.requests_per_minute !== this.limits.requests_per_minute) this.requests = fresh.requests;
    if (limits.tokens_per_minute !== this.limits.tokens_per_minute) this.tokens = fresh.tokens;
    if (limits.batches_per_minute !== this.limits.batches_per_minute) this.batches = fresh.batches;
    this.limits = limits;
  }

  /** Milliseconds until a synchronous call of so many estimated tokens may go; 0 when it may now. */
  callWaitMs(tokens: number, nowMs: number): number {
    return Math.max(this.requests?.waitMs(1, nowMs) ?? 0, this.tokens?.waitMs(tokens, nowMs) ?? 0);
  }

  /** The same for a line of a batch. */
  lineWaitMs(tokens: number, nowMs: number): number {
    if (this.requests === null && this.tokens === null) return 0;
    return Math.max(
      this.waitBesideCalls(this.requests, this.limits.requests_per_minute, 1, nowMs),
      this.waitBesideCalls(this.tokens, this.limits.tokens_per_minute, tokens, nowMs),
    );
  }

  /** Spends a request of so many estimated tokens. */
  spend(tokens: number, nowMs: number): void {
    this.requests?.spend(1, nowMs);
    this.tokens?.spend(this.bounded(tokens), nowMs);
  }

  /** Corrects what a request was estimated at by what it used: 0 when it used nothing, null when nobody knows. */
  correct(estimated: number, used: number | null, nowMs: number): void {
    if (used !== null) this.tokens?.spend(used - this.bounded(estimated), nowMs);
  }

  /** Milliseconds until another batch may be created. */
  batchWaitMs(nowMs: number): number {
    return this.batches?.waitMs(1, nowMs) ?? 0;
  }

  spendBatch(nowMs: number): void {
    this.batches?.spend(1, nowMs);
  }

  /** OpenAI's `x-ratelimit-*` headers; empty for a key without such limits. */
  headers(nowMs: number): Record<string, string> {
    const headers: Record<string, string> = {};
    for (const [name, budget, limit] of [
      ['requests', this.requests, this.limits.requests_per_minute],
      ['tokens', this.tokens, this.limits.tokens_per_minute],
    ] as const) {
      if (budget === null) continue;
      headers[`x-ratelimit-limit-${name}`] = String(limit);
      headers[`x-ratelimit-remaining-${name}`] = String(Math.max(0, Math.floor(budget.remaining(nowMs))));
      headers[`x-ratelimit-reset-${name}`] = formatWait(budget.fullInMs(nowMs));
    }
    return headers;
  }

  /** One request never holds the budget for longer than its minute, whatever output it allows. */
  private bounded(tokens: number): number {
    const limit = this.limits.tokens_per_minute;
    return limit === null ? tokens : Math.min(tokens, burstOf(limit, this.share));
  }

  private waitBesideCalls(budget: MinuteBudget | null, limit: number | null, cost: number, nowMs: number): number {
    if (budget === null || limit === null) return 0;
    const all = burstOf(limit, this.share);
    const left = all * INTERACTIVE_PART;
    return budget.waitMs(Math.min(cost, all - left) + left, nowMs);
  }
}

/** A whole request at least, in however many parts a limit is divided. */
function burstOf(limit: number, share: number): number {
  return Math.max(Math.min(1, limit), limit * share);
}

function minute(limit: number | null, nowMs: number, cell: BudgetCell): MinuteBudget | null {
  return limit === null ? null : new MinuteBudget(limit, nowMs, limit, cell);
}

/** A wait as OpenAI writes it: `120ms`, `7s`, `1m30s`. */
function formatWait(ms: number): string {
  if (ms < 1_000) return `${ms}ms`;
  const seconds = Math.ceil(ms / 1_000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
