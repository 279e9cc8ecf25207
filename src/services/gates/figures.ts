import type { MemberFigures } from '../../ports/gates.ts';
import type { Member } from './pool.ts';

/** What is known of a member at a moment of the gate's clock. `limit`: what one may hold that is not adaptive. */
export function figuresOf(member: Member, limit: number, nowMs: number): MemberFigures {
  const { load, breaker, health } = member;
  return {
    // An address without its scheme: what the operator knows it by.
    name: member.url.replace(/^https?:\/\//, ''),
    limit: member.adaptive?.limit ?? limit,
    inFlight: member.inFlight,
    answered: member.answered,
    failed: member.failed,
    latencyMs: member.answered === 0 ? null : member.latencyMs,
    breaker: breakerState(breaker.closed, breaker.waitMs(nowMs, 0)),
    health: health.state,
    healthReason: health.reason,
    load: load && {
      running: load.running,
      waiting: load.waiting,
      cacheUsage: load.cacheUsage,
      prefixHitRate:
        load.promptTokens === null || load.cachedTokens === null || load.promptTokens === 0
          ? null
          : load.cachedTokens / load.promptTokens,
    },
  };
}

function breakerState(closed: boolean, waitMs: number): MemberFigures['breaker'] {
  if (closed) return 'closed';
  return waitMs > 0 ? 'open' : 'probing';
}
