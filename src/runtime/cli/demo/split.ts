import type { NamedRoute } from '../../../protocol/route.ts';
import type { TargetAccount } from '../account.ts';

/** How many lines one target was to get, and has got so far. */
export interface Share {
  target: string;
  weight: number;
  wanted: number;
  got: number;
  failedTries: number;
  nano: number;
}

/** Shares of `total` lines by the weights of a flat route, beside what the account says each target got. */
export function sharesOf(route: NamedRoute, accounts: readonly TargetAccount[], total: number): Share[] {
  const targets = (route.config.targets ?? []).map(({ provider, model, weight }) => ({
    target: `${provider}/${model}`,
    weight: weight ?? 1,
  }));
  const weights = targets.reduce((sum, { weight }) => sum + weight, 0);
  return targets.map(({ target, weight }) => {
    const account = accounts.find((candidate) => candidate.target === target);
    return {
      target,
      weight,
      wanted: (total * weight) / weights,
      got: account?.lines ?? 0,
      failedTries: account?.wasted ?? 0,
      nano: account?.nano ?? 0,
    };
  });
}
