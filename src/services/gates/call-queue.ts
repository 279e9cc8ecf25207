import type { Failure } from '../../core/failure.ts';
import type { Admission, Ask, Permit } from '../../ports/gates.ts';

/** A synchronous call that waits to be admitted. */
export interface WaitingCall {
  readonly tokens: number;
  /** Milliseconds of the gate's clock. */
  readonly deadline: number;
  readonly since: number;
  readonly avoided: Ask['avoided'];
  readonly prompt: Ask['prompt'];
  answer(admission: Admission): void;
}

/** Synchronous calls that wait for room, first come first served. */
export class CallQueue {
  private readonly calls = new Set<WaitingCall>();
  /** No call's deadline comes before this. */
  private nextDeadline = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.calls.size;
  }

  get first(): WaitingCall | undefined {
    for (const call of this.calls) return call;
    return undefined;
  }

  /**
   * Waits for `admit` or `refuse`, of which `admitNow` may do the first at once. `onAbort` makes the failure of a call
   * whose client went away.
   */
  wait(ask: Ask, nowMs: number, admitNow: () => void, onAbort: () => Failure): Promise<Admission> {
    return new Promise((resolve) => {
      const { signal, tokens, maxWaitMs, avoided, prompt } = ask;
      const abort = (): void => {
        this.calls.delete(call);
        call.answer({ ok: false, failure: onAbort() });
      };
      let watched = false;
      const call: WaitingCall = {
        tokens,
        since: nowMs,
        avoided,
        prompt,
        deadline: nowMs + maxWaitMs,
        answer(admission) {
          if (watched) signal?.removeEventListener('abort', abort);
          resolve(admission);
        },
      };
      this.calls.add(call);
      this.nextDeadline = Math.min(this.nextDeadline, call.deadline);
      admitNow();
      if (!this.calls.has(call)) return;
      watched = true;
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  admit(call: WaitingCall, permit: Permit): void {
    this.calls.delete(call);
    call.answer({ ok: true, permit });
  }

  /** Refuses the calls that cannot be admitted in time, knowing that none will be before `untilMs`. */
  refuseLate(untilMs: number, failure: (call: WaitingCall) => Failure): void {
    if (this.nextDeadline > untilMs) return;
    this.nextDeadline = Number.POSITIVE_INFINITY;
    for (const call of this.calls) {
      if (call.deadline > untilMs) {
        this.nextDeadline = Math.min(this.nextDeadline, call.deadline);
        continue;
      }
      this.calls.delete(call);
      call.answer({ ok: false, failure: failure(call) });
    }
  }

  /** When the next call gives up waiting, in milliseconds of the gate's clock. */
  get earliestDeadline(): number {
    return this.calls.size === 0 ? Number.POSITIVE_INFINITY : this.nextDeadline;
  }
}
