/** How long lines take at their targets, by all that limits these: rates of provider and account, rates and hours of the target. */
import type { ProviderLimits } from '../../../providers/contract.ts';
import { openFor, type Schedule } from '../../core/batch-hours.ts';
import { paceSeconds } from '../../core/estimate.ts';
import { type Candidate, limitsKey, targetName } from '../../core/lane.ts';
import type { Deps } from '../../ports/deps.ts';

type Rates = Pick<ProviderLimits, 'requestsPerMinute' | 'tokensPerMinute'>;

/** What is sent somewhere. */
export interface Load {
  requests: number;
  tokens: number;
}

/** A limit: what has the same key is limited together. */
export interface Limit {
  key: string;
  rates: Rates;
}

/** Everything whose rates bind a target's lines. */
export function limitsOf(deps: Pick<Deps, 'providers'>, candidate: Candidate): Limit[] {
  const provider = deps.providers.get(candidate.provider);
  const account = provider?.account;
  const members =
    account === undefined
      ? [provider].filter((each) => each !== undefined)
      : [...deps.providers.values()].filter((each) => each.account === account);
  const least = (rate: keyof Rates): number | null => {
    const stated = members.map(({ limits }) => limits[rate]).filter((each) => each !== null);
    return stated.length === 0 ? null : Math.min(...stated);
  };
  const shared = { requestsPerMinute: least('requestsPerMinute'), tokensPerMinute: least('tokensPerMinute') };
  const own = candidate.limits;
  return [
    { key: account === undefined ? `provider ${candidate.provider}` : `account ${account}`, rates: shared },
    ...(own === undefined ? [] : [{ key: `target ${candidate.provider}${limitsKey(candidate)}`, rates: own }]),
  ];
}

/** When batch lines may be sent to a target. */
export function hoursOf(deps: Pick<Deps, 'providers'>, candidate: Candidate): Schedule[] {
  const schedules = [deps.providers.get(candidate.provider)?.schedule, candidate.schedule];
  return schedules.filter((schedule) => schedule !== undefined);
}

/** Seconds that a load takes by a limit; null when it states no rate. */
export function secondsBy({ rates }: Limit, load: Load): number | null {
  return paceSeconds({ ...load, ...rates });
}

/** Seconds from `now` (Unix seconds) on until a target was open for `seconds`, at most the window. */
export function openAfter(schedules: readonly Schedule[], now: number, seconds: number, windowSeconds: number): number {
  return Math.ceil(openFor(schedules, now * 1000, seconds * 1000, (now + windowSeconds) * 1000).atMs / 1000) - now;
}

/**
 * Seconds until the slowest of several loads is done, each at its target; null when one of them is limited by nothing that
 * could tell. Limits that targets have in common are shared by their loads.
 */
export function finishAfter(
  deps: Pick<Deps, 'providers'>,
  loads: readonly { candidate: Candidate; load: Load }[],
  now: number,
  windowSeconds: number,
): number | null {
  const sums = new Map<string, Load>();
  const limited = loads.map(({ candidate, load }) => {
    const limits = limitsOf(deps, candidate);
    for (const { key } of limits) {
      const { requests, tokens } = sums.get(key) ?? { requests: 0, tokens: 0 };
      sums.set(key, { requests: requests + load.requests, tokens: tokens + load.tokens });
    }
    return { candidate, limits };
  });
  let latest = 0;
  for (const { candidate, limits } of limited) {
    const paces = limits.flatMap((limit) => secondsBy(limit, sums.get(limit.key) ?? { requests: 0, tokens: 0 }) ?? []);
    if (paces.length === 0) return null;
    latest = Math.max(latest, openAfter(hoursOf(deps, candidate), now, Math.max(...paces), windowSeconds));
  }
  return Math.min(latest, windowSeconds);
}

/** Tells targets apart that are limited differently. */
export function loadKey(candidate: Candidate): string {
  return `${targetName(candidate)}${limitsKey(candidate)}`;
}
