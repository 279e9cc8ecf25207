import { locked, ownRegion, type Region } from './shared/region.ts';
import type { Seat } from './shared/slots.ts';

/** Virtual time runs in millionths of a microsecond, so that sharing among many requests loses nothing that counts. */
const scale = 1_000_000n;

/** Words of the region: requests in flight, in all and of each seat. */
const COUNT = 1;
const OF_SEATS = 2;
/** Behind them, in eights of bytes: the moment; virtual time; busy time that did not divide evenly among those in flight; the part of a microsecond that the last shares were rounded down by. */
const NOW = 16;
const VIRTUAL = 17;
const UNDIVIDED = 18;
const UNROUNDED = 19;

/** One request in flight on a pool, from `start` to `end`. */
export interface GpuToken {
  readonly startedAt: bigint;
  /** Of whom it is in flight; null once it has ended. */
  of: GpuClock | null;
}

/**
 * Shares the time of a GPU pool among the requests in flight: each moment belongs in equal parts to those that run in it
 * (processor sharing). Virtual time advances by dt ÷ requests in flight, so a request's share is the virtual time
 * between its start and its end: O(1) each. Whenever the pool is idle, the shares handed out add up to the busy wall
 * time to the microsecond; until then what does not divide evenly is carried forward.
 */
export class GpuClock {
  private readonly region: Region;
  private readonly seat: Pick<Seat, 'own'>;

  /** Engines that use one pool have one region: each moment is shared among the requests of all of them. */
  constructor(region: Region = ownRegion(), seat: Pick<Seat, 'own'> = { own: 0 }) {
    this.region = region;
    this.seat = seat;
  }

  /** A request enters at `nowMicros` (whole microseconds of any clock; a step backwards counts as no time). */
  start(nowMicros: number): GpuToken {
    return locked(this.region, () => {
      this.advance(nowMicros);
      this.change(this.seat.own, 1);
      return { startedAt: this.region.bigs[VIRTUAL] as bigint, of: this };
    });
  }

  /** The request leaves; its share in whole microseconds of the pool. Throws when the token has already ended. */
  end(token: GpuToken, nowMicros: number): number {
    if (token.of !== this) throw new Error('this GPU time token has already ended, or belongs to another pool');
    token.of = null;
    return locked(this.region, () => {
      const { bigs } = this.region;
      this.advance(nowMicros);
      this.change(this.seat.own, -1);
      // In 64 bits virtual time comes round after a hundred busy days; what lies between two moments does not.
      const sinceStart = BigInt.asIntN(64, (bigs[VIRTUAL] as bigint) - token.startedAt);
      let share = sinceStart + (bigs[UNROUNDED] as bigint);
      if (this.size === 0) {
        share += bigs[UNDIVIDED] as bigint;
        bigs[UNDIVIDED] = 0n;
      }
      bigs[UNROUNDED] = share % scale;
      return Number(share / scale);
    });
  }

  /** Requests now sharing the pool. */
  get size(): number {
    return this.region.ints[COUNT] as number;
  }

  /** An engine is no more: from `nowMicros` on its requests have no part. */
  vacate(seat: number, nowMicros: number): void {
    locked(this.region, () => {
      this.advance(nowMicros);
      this.change(seat, -(this.region.ints[OF_SEATS + seat] as number));
    });
  }

  private change(seat: number, by: number): void {
    const { ints } = this.region;
    ints[COUNT] = (ints[COUNT] as number) + by;
    ints[OF_SEATS + seat] = (ints[OF_SEATS + seat] as number) + by;
  }

  private advance(nowMicros: number): void {
    const { floats, bigs } = this.region;
    const now = floats[NOW] as number;
    const elapsed = nowMicros - now;
    floats[NOW] = Math.max(now, nowMicros);
    if (elapsed <= 0 || this.size === 0) return;
    const count = BigInt(this.size);
    const work = BigInt(elapsed) * scale + (bigs[UNDIVIDED] as bigint);
    bigs[VIRTUAL] = (bigs[VIRTUAL] as bigint) + work / count;
    bigs[UNDIVIDED] = work % count;
  }
}
