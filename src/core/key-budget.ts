import { type KeyLimits, type KeyLimitsInput, NO_KEY_LIMITS } from '../protocol/key.ts';
import { MinuteBudget } from './limiter.ts';
import { ownRegion, type Region } from './shared/region.ts';

/** Of each budget, lines of batches leave this part to synchronous calls: a batch does not starve its key's users. */
const INTERACTIVE_PART = 0.1;
/** What four budgets take, and the floats behind them: the tokens that calls were promised, until when, and what lines are owed for that. */
const REGION_BYTES = 128;
const PROMISED = 13;
const PROMISED_UNTIL = 14;
const OWED = 15;
/** A client that was told to wait comes back a little later than that. */
const PROMISE_GRACE_MS = 5_000;

/** Limits as a client or the config states them, with null for what they leave out. */
export function completeLimits(stated: KeyLimitsInput | null | undefined): KeyLimits {
  const set = Object.entries(stated ?? {}).filter(([, limit]) => limit !== undefined);
  return { ...NO_KEY_LIMITS, ...Object.fromEntries(set) };
}

/**
 * What one key may still send. A full minute may be spent at once, as clients of OpenAI's expect. Time is milliseconds
 * of a steady clock; tokens are estimated before a call and corrected after it.
 *
 * Whatever its tokens, a line may go once there is something beside the part of calls, and the next ones wait until it is
 * paid for: one that had to wait for all its tokens would wait for as long as smaller ones go before it. Calls have their
 * part meanwhile, and larger ones what they were told to wait for.
 */
export class KeyBudget {
  private limits: KeyLimits;
  private readonly region: Region;
  private share = 1;
  private requests: MinuteBudget | null;
  private tokens: MinuteBudget | null;
  private batches: MinuteBudget | null;
  /** The part of the tokens that is calls' alone, which lines pay back where they have spent all. */
  private callTokens: MinuteBudget | null;

  /** `region`: where its budgets stand, which all have in common that count for one key. */
  constructor(limits: KeyLimits, nowMs: number, region: Region = ownRegion(REGION_BYTES)) {
    this.limits = limits;
    this.region = region;
    this.requests = this.open('requests_per_minute', nowMs);
    this.tokens = this.open('tokens_per_minute', nowMs);
    this.callTokens = this.openCallTokens(nowMs);
    this.batches = this.open('batches_per_minute', nowMs);
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
      [this.callTokens, this.callPart],
      [this.batches, this.limits.batches_per_minute],
    ] as const) {
      if (limit !== null) budget?.resize(limit * share, nowMs, burstOf(limit, share));
    }
  }

  /** Takes in limits that may have changed; a budget whose limit is another begins anew. */
  change(limits: KeyLimits, nowMs: number): void {
    const before = this.limits;
    this.limits = limits;
    if (limits.requests_per_minute !== before.requests_per_minute)
      this.requests = this.open('requests_per_minute', nowMs);
    if (limits.tokens_per_minute !== before.tokens_per_minute) {
      this.tokens = this.open('tokens_per_minute', nowMs);
      this.callTokens = this.openCallTokens(nowMs);
    }
    if (limits.batches_per_minute !== before.batches_per_minute) this.batches = this.open('batches_per_minute', nowMs);
  }

  /** Milliseconds until a synchronous call of so many estimated tokens may go; 0 when it may now. */
  callWaitMs(tokens: number, nowMs: number): number {
    return Math.max(this.requests?.waitMs(1, nowMs) ?? 0, this.tokensWaitMs(tokens, nowMs));
  }

  /**
   * A call of so many estimated tokens was told to wait so long: until then lines leave it what it needs. Where that was kept
   * once, lines may first send as much.
   */
  promise(tokens: number, waitMs: number, nowMs: number): void {
    const { floats } = this.region;
    if ((floats[OWED] as number) > 0) return;
    const kept = this.promised(nowMs);
    floats[PROMISED] = Math.max(kept, this.bounded(tokens));
    floats[PROMISED_UNTIL] = Math.max(
      kept > 0 ? (floats[PROMISED_UNTIL] as number) : 0,
      nowMs + waitMs + PROMISE_GRACE_MS,
    );
  }

  /** Milliseconds until a line of a batch may go. Its tokens count only beside what was promised, for that does not last. */
  lineWaitMs(tokens: number, nowMs: number): number {
    if (this.requests === null && this.tokens === null) return 0;
    const promised = this.promised(nowMs);
    const besides =
      promised === 0 ? { requests: 0, tokens: 0 } : { requests: 2, tokens: promised + this.bounded(tokens) };
    return Math.max(
      this.waitBesideCalls(this.requests, this.limits.requests_per_minute, besides.requests, nowMs),
      this.waitBesideCalls(this.tokens, this.limits.tokens_per_minute, besides.tokens, nowMs),
    );
  }

  /** Spends a line of so many estimated tokens. */
  spendLine(tokens: number, nowMs: number): void {
    const { floats } = this.region;
    this.spend(tokens, nowMs);
    floats[OWED] = Math.max(0, (floats[OWED] as number) - this.bounded(tokens));
  }

  /** Spends a call of so many estimated tokens. */
  spendCall(tokens: number, nowMs: number): void {
    const { floats } = this.region;
    const promised = this.promised(nowMs);
    this.spend(tokens, nowMs);
    this.callTokens?.spend(Math.min(tokens, this.callBurst), nowMs);
    if (promised === 0 || this.bounded(tokens) < promised) return;
    floats[PROMISED] = 0;
    floats[OWED] = promised;
  }

  /** As `correct`, of a call. */
  correctCall(estimated: number, used: number | null, nowMs: number): void {
    this.correct(estimated, used, nowMs);
    const burst = this.callBurst;
    if (used !== null) this.callTokens?.spend(Math.min(used, burst) - Math.min(estimated, burst), nowMs);
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

  private spend(tokens: number, nowMs: number): void {
    this.requests?.spend(1, nowMs);
    this.tokens?.spend(this.bounded(tokens), nowMs);
  }

  /** Milliseconds until a call has its tokens, or they are in the part that is calls' alone. */
  private tokensWaitMs(tokens: number, nowMs: number): number {
    const wait = this.tokens?.waitMs(tokens, nowMs) ?? 0;
    if (wait === 0 || this.callTokens === null || tokens > this.callBurst) return wait;
    return Math.min(wait, this.callTokens.waitMs(tokens, nowMs));
  }

  /** Tokens that lines are to leave to calls which were told to wait; 0 for none. */
  private promised(nowMs: number): number {
    const { floats } = this.region;
    return nowMs < (floats[PROMISED_UNTIL] as number) ? (floats[PROMISED] as number) : 0;
  }

  private get callPart(): number | null {
    const limit = this.limits.tokens_per_minute;
    return limit === null ? null : limit * INTERACTIVE_PART;
  }

  private get callBurst(): number {
    return this.callPart === null ? 0 : burstOf(this.callPart, this.share);
  }

  /** One request never holds the budget for longer than its minute, whatever output it allows. */
  private bounded(tokens: number): number {
    const limit = this.limits.tokens_per_minute;
    return limit === null ? tokens : Math.min(tokens, burstOf(limit, this.share));
  }

  /** `besides`: what a line needs to go beside a promise; 0 without one. */
  private waitBesideCalls(budget: MinuteBudget | null, limit: number | null, besides: number, nowMs: number): number {
    if (budget === null || limit === null) return 0;
    const all = burstOf(limit, this.share);
    // There is nothing for it before that is over.
    if (besides > all) return Math.max(1, (this.region.floats[PROMISED_UNTIL] as number) - nowMs);
    return budget.waitMs(Math.min(all, Math.max(1 + all * INTERACTIVE_PART, besides)), nowMs);
  }

  private open(name: keyof typeof PLACES, nowMs: number): MinuteBudget | null {
    return this.minute(this.limits[name], PLACES[name], nowMs);
  }

  private openCallTokens(nowMs: number): MinuteBudget | null {
    return this.minute(this.callPart, CALL_TOKENS, nowMs);
  }

  /** A budget that was there before, in another thread's hands or in this one's, is as spent as it was. */
  private minute(limit: number | null, place: number, nowMs: number): MinuteBudget | null {
    if (limit === null) return null;
    const budget = new MinuteBudget(limit, nowMs, limit, { region: this.region, place });
    if (this.share !== 1) budget.resize(limit * this.share, nowMs, burstOf(limit, this.share));
    return budget;
  }
}

/** Where the budgets stand in their region. */
const PLACES = { requests_per_minute: 0, tokens_per_minute: 1, batches_per_minute: 2 } as const;
const CALL_TOKENS = 3;

/** A whole request at least, in however many parts a limit is divided. */
function burstOf(limit: number, share: number): number {
  return Math.max(Math.min(1, limit), limit * share);
}

/** A wait as OpenAI writes it: `120ms`, `7s`, `1m30s`. */
function formatWait(ms: number): string {
  if (ms < 1_000) return `${ms}ms`;
  const seconds = Math.ceil(ms / 1_000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
