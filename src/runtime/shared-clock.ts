import { type Clock, steadyMs } from '../ports/clock.ts';

/** What a look finds is followed by so much a millisecond: the clock neither stands nor goes twice as fast. */
const RATE = 0.5;
/** A difference beyond this (a machine that slept, a clock that was set right) is taken over at once. */
const FOLLOWED_MS_MAX = 120_000;
/** An answer that took longer than this says too little about the time at which it was given. */
const ANSWER_MS_MAX = 2_000;

/**
 * The time that all servers on one database share, which is the database's: leases, and when work is due, are written
 * by one of them and read by the others. Between looks it is kept by the monotonic clock. A clock that is set, here or
 * there, is followed gradually, so that no lease ends before whoever holds it has prolonged it.
 */
export class SharedClock implements Clock {
  readonly micros: Clock['micros'];
  readonly sleep: Clock['sleep'];
  readonly lateMs: () => number;
  private readonly own: Clock;
  /** Unix milliseconds by the clock to follow. */
  private readonly ask: () => Promise<number>;
  /** What the steady clock lacks to Unix time, at `since` and in the end. */
  private offset: number;
  private target: number;
  private since: number;
  private known = false;

  /** Goes by `own` until the first `sync`. */
  constructor(own: Clock, ask: () => Promise<number>) {
    this.own = own;
    this.ask = ask;
    this.micros = () => own.micros();
    this.sleep = (ms, signal) => own.sleep(ms, signal);
    this.lateMs = () => own.lateMs?.() ?? 0;
    this.since = steadyMs(own);
    this.offset = own.now() - this.since;
    this.target = this.offset;
  }

  now(): number {
    const steady = steadyMs(this.own);
    return Math.floor(steady + this.offsetAt(steady));
  }

  /** Asks for the time. Rejects when nobody answers, and goes on as before. */
  async sync(): Promise<void> {
    const before = steadyMs(this.own);
    const theirs = await this.ask();
    const after = steadyMs(this.own);
    if (this.known && after - before > ANSWER_MS_MAX) return;
    this.offset = this.offsetAt(after);
    this.since = after;
    this.target = theirs - (before + after) / 2;
    if (!this.known || Math.abs(this.target - this.offset) > FOLLOWED_MS_MAX) this.offset = this.target;
    this.known = true;
  }

  private offsetAt(steady: number): number {
    const left = this.target - this.offset;
    const step = (steady - this.since) * RATE;
    return Math.abs(left) <= step ? this.target : this.offset + Math.sign(left) * step;
  }
}
