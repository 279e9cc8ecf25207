import { locked, ownRegion, type Region } from '../core/shared/region.ts';
import { type Clock, steadyMs } from '../ports/clock.ts';

/** What a look finds is followed by so much a millisecond: the clock neither stands nor goes twice as fast. */
const RATE = 0.5;
/** A difference beyond this (a machine that slept, a clock that was set right) is taken over at once. */
const FOLLOWED_MS_MAX = 120_000;
/** An answer that took longer than this says too little about the time at which it was given. */
const ANSWER_MS_MAX = 2_000;

/** Floats of its region: what the steady clock lacks to Unix time, at the moment `SINCE` and in the end. */
const OFFSET = 1;
const TARGET = 2;
const SINCE = 3;
/** 0 until the first look. */
const KNOWN = 4;

/**
 * The time that all servers on one database share, which is the database's: leases, and when work is due, are written
 * by one of them and read by the others. Between looks it is kept by the monotonic clock. A clock that is set, here or
 * there, is followed gradually, so that no lease ends before whoever holds it has prolonged it. The threads of one process
 * have their clock in common: one that starts while it is followed would be off from the others.
 */
export class SharedClock implements Clock {
  readonly micros: Clock['micros'];
  readonly sleep: Clock['sleep'];
  readonly lateMs: (lastedMs: number) => number;
  readonly afterTurn: (run: () => void) => void;
  private readonly own: Clock;
  /** Unix milliseconds by the clock to follow. */
  private readonly ask: () => Promise<number>;
  private readonly region: Region;
  /** Other threads have the region too. */
  private readonly isShared: boolean;

  /** Goes by `own` until the first `sync`, which may be another's with the same `region`. */
  constructor(own: Clock, ask: () => Promise<number>, region?: Region) {
    this.own = own;
    this.ask = ask;
    this.isShared = region !== undefined;
    this.region = region ?? ownRegion();
    this.micros = () => own.micros();
    this.sleep = (ms, signal) => own.sleep(ms, signal);
    this.lateMs = (lastedMs) => own.lateMs?.(lastedMs) ?? 0;
    this.afterTurn = (run) => (own.afterTurn ? own.afterTurn(run) : run());
    locked(this.region, () => {
      const { floats } = this.region;
      if (floats[OFFSET] !== 0) return;
      floats[SINCE] = steadyMs(own);
      floats[OFFSET] = floats[TARGET] = own.now() - floats[SINCE];
    });
  }

  now(): number {
    const steady = steadyMs(this.own);
    // A call asks for the time seven times.
    if (!this.isShared) return Math.floor(steady + this.offsetAt(steady));
    return Math.floor(steady + locked(this.region, () => this.offsetAt(steady)));
  }

  /** Asks for the time. Rejects when nobody answers, and goes on as before. */
  async sync(): Promise<void> {
    const before = steadyMs(this.own);
    const theirs = await this.ask();
    const after = steadyMs(this.own);
    const { floats } = this.region;
    locked(this.region, () => {
      const isKnown = floats[KNOWN] === 1;
      if (isKnown && after - before > ANSWER_MS_MAX) return;
      const offset = this.offsetAt(after);
      const target = theirs - (before + after) / 2;
      floats[SINCE] = after;
      floats[TARGET] = target;
      floats[OFFSET] = isKnown && Math.abs(target - offset) <= FOLLOWED_MS_MAX ? offset : target;
      floats[KNOWN] = 1;
    });
  }

  private offsetAt(steady: number): number {
    const { floats } = this.region;
    const offset = floats[OFFSET] as number;
    const target = floats[TARGET] as number;
    const left = target - offset;
    const step = (steady - (floats[SINCE] as number)) * RATE;
    return Math.abs(left) <= step ? target : offset + Math.sign(left) * step;
  }
}
