/** Virtual time runs in millionths of a microsecond, so that sharing among many requests loses nothing that counts. */
const scale = 1_000_000n;

/** One request in flight on a pool, from `start` to `end`. */
export interface GpuToken {
  readonly startedAt: bigint;
}

/**
 * Shares the time of a GPU pool among the requests in flight: each moment belongs in equal parts to those that run in it
 * (processor sharing). Virtual time advances by dt ÷ requests in flight, so a request's share is the virtual time
 * between its start and its end: O(1) each. Whenever the pool is idle, the shares handed out add up to the busy wall
 * time to the microsecond; until then what does not divide evenly is carried forward.
 */
export class GpuClock {
  private readonly inFlight = new Set<GpuToken>();
  private now = 0;
  private virtual = 0n;
  /** Busy time that did not divide evenly among those in flight. */
  private undivided = 0n;
  /** The part of a microsecond that the last shares were rounded down by. */
  private unrounded = 0n;

  /** A request enters at `nowMicros` (whole microseconds of any clock; a step backwards counts as no time). */
  start(nowMicros: number): GpuToken {
    this.advance(nowMicros);
    const token = { startedAt: this.virtual };
    this.inFlight.add(token);
    return token;
  }

  /** The request leaves; its share in whole microseconds of the pool. Throws when the token has already ended. */
  end(token: GpuToken, nowMicros: number): number {
    if (!this.inFlight.has(token)) throw new Error('this GPU time token has already ended, or belongs to another pool');
    this.advance(nowMicros);
    this.inFlight.delete(token);
    let share = this.virtual - token.startedAt + this.unrounded;
    if (this.inFlight.size === 0) {
      share += this.undivided;
      this.undivided = 0n;
    }
    this.unrounded = share % scale;
    return Number(share / scale);
  }

  /** Requests now sharing the pool. */
  get size(): number {
    return this.inFlight.size;
  }

  private advance(nowMicros: number): void {
    const elapsed = nowMicros - this.now;
    this.now = Math.max(this.now, nowMicros);
    if (elapsed <= 0 || this.inFlight.size === 0) return;
    const count = BigInt(this.inFlight.size);
    const work = BigInt(elapsed) * scale + this.undivided;
    this.virtual += work / count;
    this.undivided = work % count;
  }
}
