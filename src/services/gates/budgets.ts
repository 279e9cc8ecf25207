import type { Provider, ProviderLimits } from '../../../providers/contract.ts';
import { MinuteBudget } from '../../core/limiter.ts';

/** Requests and tokens a minute of one account at a provider. */
export class Budgets {
  /** One request never holds the budget for longer than its minute, whatever output it allows. */
  readonly tokensMax: number;
  private readonly requests: MinuteBudget | null;
  private readonly tokens: MinuteBudget | null;

  constructor(limits: Pick<ProviderLimits, 'requestsPerMinute' | 'tokensPerMinute'>, share: number, nowMs: number) {
    const make = (perMinute: number | null) => (perMinute === null ? null : new MinuteBudget(perMinute * share, nowMs));
    this.requests = make(limits.requestsPerMinute);
    this.tokens = make(limits.tokensPerMinute);
    this.tokensMax = limits.tokensPerMinute === null ? Number.POSITIVE_INFINITY : limits.tokensPerMinute * share;
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
export function openBudgets(providers: Iterable<Provider>, share: number, nowMs: number): Map<string, Budgets> {
  const accounts = new Map<string, Provider[]>();
  for (const provider of providers) {
    const key = provider.account === undefined ? `provider ${provider.name}` : `account ${provider.account}`;
    accounts.set(key, [...(accounts.get(key) ?? []), provider]);
  }
  const budgets = new Map<string, Budgets>();
  for (const members of accounts.values()) {
    const least = (key: 'requestsPerMinute' | 'tokensPerMinute'): number | null => {
      const stated = members.map(({ limits }) => limits[key]).filter((limit) => limit !== null);
      return stated.length === 0 ? null : Math.min(...stated);
    };
    const limits = { requestsPerMinute: least('requestsPerMinute'), tokensPerMinute: least('tokensPerMinute') };
    const shared = new Budgets(limits, share, nowMs);
    for (const { name } of members) budgets.set(name, shared);
  }
  return budgets;
}
