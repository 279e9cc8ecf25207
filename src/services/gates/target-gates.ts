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
  private readonly common: Deps['common'];
  private readonly provider: string;
  private share = 1;
  private readonly known = new Map<string, { gate: TargetGate; budgets: Budgets }>();

  constructor({ clock, common }: Pick<Deps, 'clock' | 'common'>, provider: string) {
    this.clock = clock;
    this.common = common;
    this.provider = provider;
  }

  takeShare(share: number): void {
    this.share = share;
    for (const { budgets } of this.known.values()) budgets.takeShare(share, steadyMs(this.clock));
  }

  get(tenantId: string, candidate: Candidate): TargetGate | null {
    if (!isLimited(candidate)) return null;
    const key = `${tenantId} ${limitsKey(candidate)}`;
    const target = this.known.get(key) ?? this.open(key, candidate);
    this.known.delete(key);
    this.known.set(key, target);
    if (this.known.size > TARGETS_MAX) this.known.delete(this.known.keys().next().value ?? '');
    return target.gate;
  }

  private open(key: string, { limits, schedule }: Candidate): { gate: TargetGate; budgets: Budgets } {
    const { clock } = this;
    const none = { requestsPerMinute: null, tokensPerMinute: null };
    const budgets = new Budgets(limits ?? none, steadyMs(clock), this.common?.region(`target ${this.provider} ${key}`));
    budgets.takeShare(this.share, steadyMs(clock));
    const hours = new Hours(clock, schedule);
    const gate: TargetGate = {
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
    return { gate, budgets };
  }
}
