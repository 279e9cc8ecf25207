import { locked, ownRegion, type Region } from './shared/region.ts';

/** Where the state of a budget stands: in one of a region's places, 0 to 2. */
export interface BudgetCell {
  readonly region: Region;
  readonly place: number;
}

/** Floats of a place, from `FIRST` on: what is left, at which moment, and the rate that it began with, and one. */
const FIRST = 1;
const FLOATS = 3;
const UPDATED_AT = 1;
const BEGAN_WITH = 2;
const OWN_BYTES = (FIRST + FLOATS) * 8;

/** A budget per minute that refills evenly; a cost larger than the burst is let through when the budget is full. */
export class MinuteBudget {
  private perMs: number;
  private burst: number;
  private readonly region: Region;
  private readonly at: number;

  /**
   * `burst`: what may be spent at once. One second's worth by default: providers answer a minute's worth with 429.
   * In a `cell` that holds a budget of the same rate, this is that one: all who have it spend from it, by one clock.
   */
  constructor(perMinute: number, nowMs: number, burst = Math.max(1, perMinute / 60), cell: BudgetCell = ownCell()) {
    this.perMs = perMinute / 60_000;
    this.burst = burst;
    this.region = cell.region;
    this.at = FIRST + cell.place * FLOATS;
    locked(this.region, () => {
      const { floats } = this.region;
      if (floats[this.at + BEGAN_WITH] === perMinute + 1) return;
      floats[this.at + BEGAN_WITH] = perMinute + 1;
      floats[this.at + UPDATED_AT] = nowMs;
      floats[this.at] = burst;
    });
  }

  /** Goes on at another rate; what is saved up beyond the new burst is lost. */
  resize(perMinute: number, nowMs: number, burst = Math.max(1, perMinute / 60)): void {
    this.change(nowMs, 0);
    this.perMs = perMinute / 60_000;
    this.burst = burst;
    this.change(nowMs, 0);
  }

  /** Milliseconds until `cost` may be spent; 0 when it may be now. */
  waitMs(cost: number, nowMs: number): number {
    const needed = Math.min(cost, this.burst) - this.change(nowMs, 0);
    return needed <= 1e-9 ? 0 : Math.ceil(needed / this.perMs);
  }

  /** Spends `cost`; a negative cost gives back what an estimate took too much. */
  spend(cost: number, nowMs: number): void {
    this.change(nowMs, cost);
  }

  /** What may be spent now; below 0 while more was spent than there was. */
  remaining(nowMs: number): number {
    return this.change(nowMs, 0);
  }

  /** Milliseconds until nothing of it is spent any more. */
  fullInMs(nowMs: number): number {
    return Math.ceil((this.burst - this.remaining(nowMs)) / this.perMs);
  }

  /** Refills by the time that has passed, takes `cost`, and answers what is left. */
  private change(nowMs: number, cost: number): number {
    const { region, at } = this;
    return locked(region, () => {
      const { floats } = region;
      const updatedAt = floats[at + UPDATED_AT] as number;
      const elapsed = Math.max(0, nowMs - updatedAt);
      const refilled = Math.min(this.burst, (floats[at] as number) + elapsed * this.perMs);
      const left = Math.min(this.burst, refilled - cost);
      floats[at + UPDATED_AT] = Math.max(updatedAt, nowMs);
      floats[at] = left;
      return left;
    });
  }
}

function ownCell(): BudgetCell {
  return { region: ownRegion(OWN_BYTES), place: 0 };
}
