import type { Failure } from '../../core/failure.ts';
import { faultOf } from '../../core/retry.ts';
import { accountSign, type HoldState, type RefusalVerdict, TargetHold } from '../../core/target-hold.ts';
import { steadyMs, unixSecondsOf } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { HeldTarget, Holds, Slot } from '../../ports/gates.ts';

/** Routes name models as they like: what is not used for long makes room. */
const TARGETS_MAX = 1_000;
/** A key that nothing was ever answered to is most likely a wrong one: whoever has just set it up is to hear of it soon. */
const UNPROVEN_MAX_MS = 60_000;

interface Known {
  hold: TargetHold;
  /** Lines sent while it is held. */
  probes: Set<Slot>;
  told: HoldState;
}

/** The targets of one provider that refused lines for the account's sake. */
export class TargetHolds implements Holds {
  private readonly deps: Pick<Deps, 'clock' | 'random' | 'settings' | 'log'>;
  private readonly provider: string;
  private readonly hasServed: () => boolean;
  private readonly known = new Map<string, Known>();
  /** Known ones that have not answered since. */
  private refusing = 0;

  /** `hasServed`: whether the account was ever let in. */
  constructor(deps: Pick<Deps, 'clock' | 'random' | 'settings' | 'log'>, provider: string, hasServed: () => boolean) {
    this.deps = deps;
    this.provider = provider;
    this.hasServed = hasServed;
  }

  get any(): boolean {
    return this.refusing > 0;
  }

  refuses(model: string): boolean {
    return this.known.get(model)?.hold.failure != null;
  }

  waitMs(model: string): number {
    const target = this.known.get(model);
    if (target === undefined) return 0;
    return target.hold.waitMs(steadyMs(this.deps.clock), sentAt(target.probes));
  }

  started(model: string, slot: Slot): void {
    const target = this.known.get(model);
    if (target?.hold.state(steadyMs(this.deps.clock)) === 'held') target.probes.add(slot);
  }

  settle(model: string, slot: Slot, failure: Failure | null): RefusalVerdict {
    if (failure === null && this.known.size === 0) return 'own';
    const isRefused = failure !== null && accountSign(failure) !== 'none';
    const target = this.known.get(model) ?? (isRefused ? this.open(model) : undefined);
    if (target === undefined) return 'own';
    target.probes.delete(slot);
    if (isRefused) {
      if (target.hold.since === null) this.refusing += 1;
      const moment = { sentAt: slot.startedMs, nowMs: steadyMs(this.deps.clock), unit: this.deps.random.unit() };
      const verdict = target.hold.refused(failure, moment);
      this.tell(model, target);
      return verdict;
    }
    if (failure === null || faultOf(failure) === 'own') this.letIn(model, target, slot.startedMs);
    return 'own';
  }

  verdict(model: string, refusedAtMs: number): RefusalVerdict {
    return this.known.get(model)?.hold.verdict(refusedAtMs, steadyMs(this.deps.clock)) ?? 'own';
  }

  wasWrong(model: string): boolean {
    return this.known.get(model)?.hold.wasWrong === true;
  }

  timeTells(model: string, refusedForMs: number): boolean {
    return this.known.get(model)?.hold.timeTells(refusedForMs) === true;
  }

  giveBack(model: string, slot: Slot): void {
    this.known.get(model)?.probes.delete(slot);
  }

  answered(model: string, startedMs: number): void {
    const target = this.known.get(model);
    if (target !== undefined) this.letIn(model, target, startedMs);
  }

  private letIn(model: string, target: Known, sentAtMs: number): void {
    const wasRefusing = target.hold.since !== null;
    if (!target.hold.answered(sentAtMs) || !wasRefusing) return;
    this.refusing -= 1;
    this.tell(model, target);
  }

  figures(): HeldTarget[] {
    const now = steadyMs(this.deps.clock);
    return [...this.known].flatMap(([model, { hold }]) => {
      const state = hold.state(now);
      const { failure, since } = hold;
      if (state === 'open' || failure === null || since === null) return [];
      const { code, message } = failure;
      return [{ model, state, code, message, since: unixSecondsOf(this.deps.clock, since) }];
    });
  }

  private open(model: string): Known {
    for (const [other, { hold }] of this.known) {
      if (this.known.size < TARGETS_MAX) break;
      this.known.delete(other);
      if (hold.since !== null) this.refusing -= 1;
    }
    const maxMs = this.deps.settings.outageSeconds * 1000;
    const target: Known = {
      hold: new TargetHold(maxMs, this.hasServed() ? maxMs : UNPROVEN_MAX_MS),
      probes: new Set(),
      told: 'open',
    };
    this.known.set(model, target);
    return target;
  }

  private tell(model: string, target: Known): void {
    const state = target.hold.state(steadyMs(this.deps.clock));
    if (state === target.told) return;
    target.told = state;
    const { code, message } = target.hold.failure ?? {};
    const fields = { provider: this.provider, model, code, reason: message };
    if (state === 'held') this.deps.log.warn(fields, 'target refuses the account: its lines wait');
    else if (state === 'given_up')
      this.deps.log.error(fields, 'target refuses the account for too long: its lines fail');
    else this.deps.log.info({ provider: this.provider, model }, 'target takes lines again');
  }
}

function* sentAt(slots: Iterable<Slot>): Generator<number> {
  for (const { startedMs } of slots) yield startedMs;
}
