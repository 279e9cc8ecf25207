import { steadyMs, unixSeconds } from '../ports/clock.ts';
import type { Deps } from '../ports/deps.ts';

/** Less than this is a clock that is followed, or read at a bad moment. */
const SET_MS_MIN = 5_000;

/** Notices that the clock was put back: what is due by it would wait for as long as it was ahead. */
export class ClockWatch {
  private readonly deps: Pick<Deps, 'clock' | 'store' | 'log'>;
  /** Milliseconds from the steady clock to the one that is set. */
  private offset: number;

  constructor(deps: Pick<Deps, 'clock' | 'store' | 'log'>) {
    this.deps = deps;
    this.offset = this.currentOffset;
  }

  /** Brings forward what is due too late by a clock that was put back since the last look. Rejects when the store does. */
  async look(): Promise<void> {
    const offset = this.currentOffset;
    const backMs = this.offset - offset;
    if (backMs >= SET_MS_MIN) {
      const { clock, store, log } = this.deps;
      await store.bringForward(unixSeconds(clock), Math.ceil(backMs / 1000));
      log.warn(
        { seconds: Math.round(backMs / 1000) },
        'the clock was put back: work that waits is due so much earlier',
      );
    }
    this.offset = offset;
  }

  private get currentOffset(): number {
    return this.deps.clock.now() - steadyMs(this.deps.clock);
  }
}
