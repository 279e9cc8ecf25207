import { coversSpender, type Spender } from '../../core/budget-scope.ts';
import { longestCallMs } from '../../core/call-retry.ts';
import { formatId, ID_BYTES } from '../../core/ids.ts';
import type { Candidate } from '../../core/lane.ts';
import type { Soon } from '../../core/soon.ts';
import { estimateLineTokens } from '../../core/tokens.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BudgetRow, CallHoldAsk } from '../../ports/store-budgets.ts';
import type { RequestLine } from '../../protocol/request-line.ts';
import { firstShort, insufficientQuota, unpricedTargets } from './insufficient.ts';
import { addPeriods } from './periods.ts';
import { unpricedReason, upperBound } from './upper-bound.ts';

/** How long another process's new budget may go unnoticed here. */
const FRESH_MS = 3_000;
/** Holds of one write. */
const GROUP_MAX = 200;
/** A hold outlives the longest that its call may take, so that only those of killed processes end by themselves. */
const SPARE_SECONDS = 300;

export type CallBudgetDeps = Pick<
  Deps,
  'store' | 'clock' | 'random' | 'providers' | 'prices' | 'ownPrices' | 'settings'
>;

/** A call that is to be sent. */
export interface CallToHold {
  spender: Spender;
  request: RequestLine;
  /** Length of its body. */
  bytes: number;
  candidates: readonly Candidate[];
}

interface Waiting {
  ask: CallHoldAsk;
  settle: (isHeld: boolean) => void;
  fail: (error: unknown) => void;
}

/**
 * Holds what single calls may come to, until their entries are written. A call that no budget covers waits for nothing;
 * the others share their writes.
 */
export class CallBudgets {
  private readonly deps: CallBudgetDeps;
  private known: { rows: readonly BudgetRow[]; until: number } = { rows: [], until: Number.NEGATIVE_INFINITY };
  private reading: Promise<void> | null = null;
  private waiting: Waiting[] = [];
  private writing: Promise<void> | null = null;

  constructor(deps: CallBudgetDeps) {
    this.deps = deps;
  }

  /** Makes a change of budgets take effect at once in this process. */
  forget(): void {
    this.known = { ...this.known, until: Number.NEGATIVE_INFINITY };
  }

  /**
   * The id of the call's hold, to be ended with its entries; null when no budget covers it. Throws 429
   * `insufficient_quota`, and 400 for a target without a price where a budget does not allow it.
   */
  hold(call: CallToHold): Soon<string | null> {
    const { rows, until } = this.known;
    const isFree = until > this.deps.clock.now() && !rows.some((row) => coversSpender(row, call.spender));
    return isFree ? null : this.holdCovered(call);
  }

  private async holdCovered(call: CallToHold): Promise<string | null> {
    const ask = await this.askOf(call);
    if (ask === null) return null;
    const held = await new Promise<boolean>((settle, fail) => {
      this.waiting.push({ ask, settle, fail });
      this.writing ??= this.writeAll().finally(() => {
        this.writing = null;
      });
    });
    if (!held) throw await this.refusal(ask);
    return ask.holder;
  }

  /** As `hold`, of a call that is not sent now: nothing is held. */
  async check(call: CallToHold): Promise<void> {
    const ask = await this.askOf(call);
    if (ask === null) return;
    const now = unixSeconds(this.deps.clock);
    const short = firstShort(await this.deps.store.budgets.covering(ask, now), ask.amountNano);
    if (short !== null) throw insufficientQuota('request', short, ask.amountNano);
  }

  private async askOf({ spender, request, bytes, candidates }: CallToHold): Promise<CallHoldAsk | null> {
    const { deps } = this;
    if (this.known.until <= deps.clock.now()) await this.refresh();
    const covering = this.known.rows.filter((row) => coversSpender(row, spender));
    if (covering.length === 0) return null;
    const now = unixSeconds(deps.clock);
    if (covering.some(({ unpriced }) => unpriced === 'refuse')) {
      const reasons = candidates.flatMap((candidate) => unpricedReason(deps, candidate, now) ?? []);
      if (reasons.length > 0) throw unpricedTargets('request', [...new Set(reasons)]);
    }
    const tokens = estimateLineTokens(request, bytes);
    const longest = longestCallMs(candidates, deps.settings.requestTimeoutMs);
    return {
      ...spender,
      holder: formatId('call_', deps.random.bytes(ID_BYTES)),
      amountNano: upperBound(deps, candidates, { request, tokens }, now),
      expiresAt: now + Math.ceil(longest / 1_000) + SPARE_SECONDS,
    };
  }

  private refresh(): Promise<void> {
    this.reading ??= this.read().finally(() => {
      this.reading = null;
    });
    return this.reading;
  }

  private async read(): Promise<void> {
    const { clock, store } = this.deps;
    const until = clock.now() + FRESH_MS;
    const rows = await store.budgets.all();
    // After a time without a server, or a machine that slept, the present ones may not have begun: they would hold nothing.
    if (rows.length > 0) await addPeriods(this.deps, unixSeconds(clock));
    this.known = { rows, until };
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, GROUP_MAX);
      try {
        const asks = group.map(({ ask }) => ask);
        const held = await this.deps.store.budgets.holdCalls(asks, unixSeconds(this.deps.clock));
        for (const [index, { settle }] of group.entries()) settle(held[index] ?? false);
      } catch (error) {
        for (const { fail } of group) fail(error);
      }
    }
  }

  private async refusal(ask: CallHoldAsk): Promise<Error> {
    const budgets = await this.deps.store.budgets.covering(ask, unixSeconds(this.deps.clock));
    return insufficientQuota('request', firstShort(budgets, ask.amountNano) ?? budgets[0] ?? null, ask.amountNano);
  }
}
