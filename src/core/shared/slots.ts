/**
 * The requests that the engines of one server have in flight at one provider, which the operator's bound holds in sum.
 * Each engine has a seat. One that wants more than there is says so, and then has as many as the others that want more:
 * whoever has more than that leaves what becomes free, and wakes it. Calls take what is free first.
 */
import { ownRegion, type Region } from './region.ts';

/** Seats that a region has room for. */
export const SEATS_MAX = 12;

const TOTAL = 1;
/** Words of a seat, from `FIRST` on: its requests, whether it wants more, and its calls that wait. */
const FIRST = 2;
const WORDS = 3;
const WANTS = 1;
const CALLS = 2;
/** Floats, behind the words: when a call last came to a seat. */
const CALLED = 24;

/** Which engine this is, and of how many. */
export interface Seat {
  readonly own: number;
  readonly count: number;
  /** Lets another engine look at its gates. */
  wake(seat: number): void;
}

const ALONE: Seat = { own: 0, count: 1, wake: () => undefined };

export class Slots {
  private readonly ints: Int32Array;
  private readonly floats: Float64Array;
  private readonly seat: Seat;
  private readonly at: number;

  constructor({ ints, floats }: Region = ownRegion(), seat: Seat = ALONE) {
    this.ints = ints;
    this.floats = floats;
    this.seat = seat;
    this.at = FIRST + seat.own * WORDS;
  }

  /** Requests in flight from all engines. */
  get total(): number {
    return Atomics.load(this.ints, TOTAL);
  }

  /** Those of this engine. */
  get own(): number {
    return this.ints[this.at] as number;
  }

  /** Whether other engines may have slots. */
  get shared(): boolean {
    return this.seat.count > 1;
  }

  /** Takes a slot, where fewer than `limit` are taken and none of them is somebody else's turn; if not, says that it wants one. */
  take(limit: number, forCall: boolean): boolean {
    const { ints, at } = this;
    for (;;) {
      const total = Atomics.load(ints, TOTAL);
      if (total >= limit || (!forCall && this.isOthersTurn(limit))) {
        // What became free before this was said, nobody told.
        if (Atomics.exchange(ints, at + WANTS, 1) === 1) return false;
      } else if (Atomics.compareExchange(ints, TOTAL, total, total + 1) === total) {
        Atomics.add(ints, at, 1);
        return true;
      }
    }
  }

  giveBack(): void {
    Atomics.sub(this.ints, this.at, 1);
    Atomics.sub(this.ints, TOTAL, 1);
  }

  /** Has no more to send at present. */
  wantNone(): void {
    if (this.seat.count > 1) Atomics.store(this.ints, this.at + WANTS, 0);
  }

  /** Wakes the engines that want what is free, and those for whose calls it is kept: these may have been given up. */
  passOn(limit: number): void {
    const { ints, seat } = this;
    if (seat.count === 1 || Atomics.load(ints, TOTAL) >= limit) return;
    for (let other = 0; other < seat.count; other++) {
      const at = FIRST + other * WORDS;
      const waits = Atomics.load(ints, at + WANTS) === 1 || Atomics.load(ints, at + CALLS) > 0;
      if (other !== seat.own && waits) seat.wake(other);
    }
  }

  /** So many calls wait here; `nowMs` when one has just come. */
  noteCalls(waiting: number, nowMs: number | null): void {
    Atomics.store(this.ints, this.at + CALLS, waiting);
    if (nowMs !== null) this.floats[CALLED + this.seat.own] = Math.max(nowMs, Number.MIN_VALUE);
  }

  /** When a call last came to any engine; never is long ago. */
  get calledAt(): number {
    let latest = 0;
    for (let seat = 0; seat < this.seat.count; seat++) latest = Math.max(latest, this.floats[CALLED + seat] as number);
    return latest === 0 ? Number.NEGATIVE_INFINITY : latest;
  }

  /** Takes back what an engine had that is no more. */
  vacate(seat: number): void {
    const { ints } = this;
    const at = FIRST + seat * WORDS;
    Atomics.sub(ints, TOTAL, Atomics.exchange(ints, at, 0));
    Atomics.store(ints, at + WANTS, 0);
    Atomics.store(ints, at + CALLS, 0);
  }

  /** Whether a line leaves its slot to a call elsewhere, or to an engine that has less than its part. */
  private isOthersTurn(limit: number): boolean {
    const { ints, seat } = this;
    if (seat.count === 1) return false;
    let wanting = 1;
    let ofOthers = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let other = 0; other < seat.count; other++) {
      if (other === seat.own) continue;
      const at = FIRST + other * WORDS;
      if (Atomics.load(ints, at + CALLS) > 0) return true;
      const inFlight = Atomics.load(ints, at);
      if (Atomics.load(ints, at + WANTS) === 0) ofOthers += inFlight;
      else {
        wanting += 1;
        least = Math.min(least, inFlight);
      }
    }
    const part = Math.max(1, Math.floor((limit - ofOthers) / wanting));
    return least < part && this.own >= part;
  }
}
