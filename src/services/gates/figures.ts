import { type Clock, unixSecondsOf } from '../../ports/clock.ts';
import type { GateFigures, HeldTarget, MemberFigures, Unreachable } from '../../ports/gates.ts';
import type { Member, Pool } from './pool.ts';

/** What is known of a member at a moment of the gate's clock. `limit`: what one may hold that is not adaptive. */
export function figuresOf(member: Member, limit: number, nowMs: number): MemberFigures {
  const { load, breaker, ailment, health } = member;
  const states = [breaker, ailment].map((each) => breakerState(each.closed, each.waitMs(nowMs, 0)));
  return {
    // An address without its scheme: what the operator knows it by.
    name: member.url.replace(/^https?:\/\//, ''),
    limit: member.adaptive?.limit ?? limit,
    inFlight: member.inFlight,
    answered: member.answered,
    failed: member.failed,
    latencyMs: member.answered === 0 ? null : member.latencyMs,
    breaker: worstOf(states),
    health: health.state,
    healthReason: troubleOf(member),
    load: load && {
      running: load.running,
      waiting: load.waiting,
      cacheUsage: load.cacheUsage,
      prefixHitRate:
        load.promptTokens === null || load.cachedTokens === null || load.promptTokens === 0
          ? null
          : Math.min(1, load.cachedTokens / load.promptTokens),
    },
  };
}

/** Why none of the members is called but to see whether it is back; null while one is, or there are none. */
export function unreachableOf(pool: Pick<Pool, 'members' | 'unreachable'>, clock: Clock): Unreachable | null {
  const [first] = pool.members;
  if (first === undefined || !pool.unreachable) return null;
  const since = Math.max(...pool.members.map(({ breaker }) => breaker.unreachableSince ?? 0));
  return { reason: troubleOf(first) ?? '', since: unixSecondsOf(clock, since) };
}

/** What it says of itself, and what requests ran into: why no check comes through is told by them. */
function troubleOf({ ailment, breaker, doubt, health, lastFailure }: Member): string | null {
  const isFine = ailment.closed && doubt.closed && !breaker.unreachable;
  const requests = isFine ? null : `its requests fail (${lastFailure})`;
  if (health.reason === null || requests === null) return health.reason ?? requests;
  return `${health.reason}, ${requests}`;
}

const BREAKERS = ['closed', 'probing', 'open'] as const;

function worstOf(states: readonly MemberFigures['breaker'][]): MemberFigures['breaker'] {
  return BREAKERS[Math.max(...states.map((state) => BREAKERS.indexOf(state)))] ?? 'closed';
}

function breakerState(closed: boolean, waitMs: number): MemberFigures['breaker'] {
  if (closed) return 'closed';
  return waitMs > 0 ? 'open' : 'probing';
}

/** What several engines know of one provider as one: requests add up, and what troubles one of them is trouble. */
export function withOthers(own: GateFigures, others: readonly GateFigures[]): GateFigures {
  if (others.length === 0) return own;
  const all = [own, ...others];
  const callers = all.filter(({ members }) => members.some(({ answered, failed }) => answered + failed > 0));
  return {
    ...own,
    unreachable: unreachableForAll(callers),
    members: own.members.map((member, index) =>
      memberWithOthers(
        member,
        all.flatMap(({ members }) => members[index] ?? []),
        own.limit,
      ),
    ),
    held: heldByAny(all),
  };
}

/** Nobody is there for any of those who call: since the last of them found that. */
function unreachableForAll(callers: readonly GateFigures[]): Unreachable | null {
  const found = callers.map(({ unreachable }) => unreachable).filter((each) => each !== null);
  if (found.length < callers.length) return null;
  return found.toSorted((a, b) => b.since - a.since)[0] ?? null;
}

/** Each target once, since it was first refused. */
function heldByAny(all: readonly GateFigures[]): HeldTarget[] {
  const held = new Map<string, HeldTarget>();
  for (const target of all.flatMap((figures) => figures.held)) {
    const known = held.get(target.model);
    if (known === undefined || target.since < known.since) held.set(target.model, target);
  }
  return [...held.values()];
}

const HEALTH = ['unknown', 'healthy', 'wrong_model', 'unhealthy'] as const;

function memberWithOthers(own: MemberFigures, all: readonly MemberFigures[], bound: number): MemberFigures {
  const sum = (read: (member: MemberFigures) => number): number => all.reduce((total, each) => total + read(each), 0);
  const callers = all.filter(({ answered, failed }) => answered + failed > 0);
  const answered = sum((each) => each.answered);
  const worst = [...all].sort((a, b) => HEALTH.indexOf(b.health) - HEALTH.indexOf(a.health))[0] ?? own;
  return {
    name: own.name,
    limit: Math.min(bound, callers.length === 0 ? own.limit : callers.reduce((total, { limit }) => total + limit, 0)),
    inFlight: sum((each) => each.inFlight),
    answered,
    failed: sum((each) => each.failed),
    latencyMs: answered === 0 ? null : sum((each) => (each.latencyMs ?? 0) * each.answered) / answered,
    breaker: worstOf(all.map(({ breaker }) => breaker)),
    health: worst.health,
    healthReason: worst.healthReason,
    load: all.find(({ load }) => load !== null)?.load ?? null,
  };
}
