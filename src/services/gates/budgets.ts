import type { Provider, ProviderLimits } from '../../../providers/contract.ts';
import { MinuteBudget } from '../../core/limiter.ts';
import type { Region } from '../../core/shared/region.ts';
import type { Common } from '../../ports/common.ts';

type Rates = Pick<ProviderLimits, 'requestsPerMinute' | 'tokensPerMinute'>;

/** Requests and tokens a minute of one account at a provider. */
export class Budgets {
  private readonly rates: Rates;
  private share = 1;
  private readonly requests: MinuteBudget | null;
  private readonly tokens: MinuteBudget | null;

  /** `region`: where all have it that spend of these rates. */
  constructor(rates: Rates, nowMs: number, region?: Region) {
    const make = (perMinute: number | null, place: number) =>
      perMinute === null
        ? null
        : new MinuteBudget(perMinute, nowMs, undefined, region === undefined ? undefined : { region, place });
    this.rates = rates;
    this.requests = make(rates.requestsPerMinute, 0);
    this.tokens = make(rates.tokensPerMinute, 1);
  }

  /** One request never holds the budget for longer than its minute, whatever output it allows. */
  get tokensMax(): number {
    return (this.rates.tokensPerMinute ?? Number.POSITIVE_INFINITY) * this.share;
  }

  /** What part of the rates, 0 to 1, is spent here: other servers spend the rest. */
  takeShare(share: number, nowMs: number): void {
    if (share === this.share) return;
    this.share = share;
    this.requests?.resize((this.rates.requestsPerMinute ?? 0) * share, nowMs);
    this.tokens?.resize((this.rates.tokensPerMinute ?? 0) * share, nowMs);
  }

  /** Milliseconds until a request may start. */
  waitMs(nowMs: number): number {
    return Math.max(this.requests?.waitMs(1, nowMs) ?? 0, this.tokens?.waitMs(1, nowMs) ?? 0);
  }

  spend(tokens: number, nowMs: number): void {
    this.requests?.spend(1, nowMs);
    this.tokens?.spend(tokens, nowMs);
  }

  /** Takes back what was booked for a request that was not sent. */
  refund(tokens: number, nowMs: number): void {
    this.requests?.spend(-1, nowMs);
    this.tokens?.spend(-tokens, nowMs);
  }

  /** Puts what a request was booked with right, by what it used. */
  correct(booked: number, used: number, nowMs: number): void {
    this.tokens?.spend(used - booked, nowMs);
  }
}

/** The budgets of each provider by its name; entries of one account share them, by the tightest limits that they state. */
export function openBudgets(providers: Iterable<Provider>, nowMs: number, common?: Common): Map<string, Budgets> {
  const accounts = new Map<string, Provider[]>();
  for (const provider of providers) {
    const key = provider.account === undefined ? `provider ${provider.name}` : `account ${provider.account}`;
    accounts.set(key, [...(accounts.get(key) ?? []), provider]);
  }
  const budgets = new Map<string, Budgets>();
  for (const [key, members] of accounts) {
    const least = (rate: 'requestsPerMinute' | 'tokensPerMinute'): number | null => {
      const stated = members.map(({ limits }) => limits[rate]).filter((limit) => limit !== null);
      return stated.length === 0 ? null : Math.min(...stated);
    };
    const limits = { requestsPerMinute: least('requestsPerMinute'), tokensPerMinute: least('tokensPerMinute') };
    const shared = new Budgets(limits, nowMs, common?.region(`rates ${key}`));
    for (const { name } of members) budgets.set(name, shared);
  }
  return budgets;
}
