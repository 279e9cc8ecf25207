import { type Candidate, isLimited, limitsKey } from '../../core/lane.ts';
import { steadyMs } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { TargetGate } from '../../ports/gates.ts';
import { Budgets } from './budgets.ts';
import { Hours } from './hours.ts';

/** Routes are the tenants' to write: what is not used for long makes room. */
const TARGETS_MAX = 1_000;

/** The targets of one provider that have rates or hours of their own, of each tenant. */
export class TargetGates {
  private readonly clock: Deps['clock'];
  private readonly share: number;
  private readonly known = new Map<string, TargetGate>();

  /** `share`: of the limits, where several processes on one machine divide them. */
  constructor(clock: Deps['clock'], share: number) {
    this.clock = clock;
    this.share = share;
  }

  get(tenantId: string, candidate: Candidate): TargetGate | null {
    if (!isLimited(candidate)) return null;
    const key = `${tenantId} ${limitsKey(candidate)}`;
    const gate = this.known.get(key) ?? this.open(candidate);
    this.known.delete(key);
    this.known.set(key, gate);
    if (this.known.size > TARGETS_MAX) this.known.delete(this.known.keys().next().value ?? '');
    return gate;
  }

  private open({ limits, schedule }: Candidate): TargetGate {
    const { clock } = this;
    const none = { requestsPerMinute: null, tokensPerMinute: null };
    const budgets = new Budgets(limits ?? none, this.share, steadyMs(clock));
    const hours = new Hours(clock, schedule);
    return {
      get waitMs() {
        return budgets.waitMs(steadyMs(clock));
      },
      get closedMs() {
        return hours.closedMs;
      },
      spend(tokens) {
        const booked = Math.min(tokens, budgets.tokensMax);
        budgets.spend(booked, steadyMs(clock));
        return {
          correct: (used) => budgets.correct(booked, used, steadyMs(clock)),
          refund: () => budgets.refund(booked, steadyMs(clock)),
        };
      },
    };
  }
}
