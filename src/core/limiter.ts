/** A budget per minute that refills evenly; a cost larger than the burst is let through when the budget is full. */
export class MinuteBudget {
  private perMs: number;
  private burst: number;
  private level: number;
  private updatedAt: number;

  /** `burst`: what may be spent at once. One second's worth by default: providers answer a minute's worth with 429. */
  constructor(perMinute: number, nowMs: number, burst = Math.max(1, perMinute / 60)) {
    this.perMs = perMinute / 60_000;
    this.burst = burst;
    this.level = this.burst;
    this.updatedAt = nowMs;
  }

  /** Goes on at another rate; what is saved up beyond the new burst is lost. */
  resize(perMinute: number, nowMs: number, burst = Math.max(1, perMinute / 60)): void {
    this.refill(nowMs);
    this.perMs = perMinute / 60_000;
    this.burst = burst;
    this.level = Math.min(this.level, burst);
  }

  /** Milliseconds until `cost` may be spent; 0 when it may be now. */
  waitMs(cost: number, nowMs: number): number {
    this.refill(nowMs);
    const needed = Math.min(cost, this.burst) - this.level;
    return needed <= 1e-9 ? 0 : Math.ceil(needed / this.perMs);
  }

  /** Spends `cost`; a negative cost gives back what an estimate took too much. */
  spend(cost: number, nowMs: number): void {
    this.refill(nowMs);
    this.level = Math.min(this.burst, this.level - cost);
  }

  /** What may be spent now; below 0 while more was spent than there was. */
  remaining(nowMs: number): number {
    this.refill(nowMs);
    return this.level;
  }

  /** Milliseconds until nothing of it is spent any more. */
  fullInMs(nowMs: number): number {
    return Math.ceil((this.burst - this.remaining(nowMs)) / this.perMs);
  }

  private refill(nowMs: number): void {
    const elapsed = Math.max(0, nowMs - this.updatedAt);
    this.updatedAt = Math.max(this.updatedAt, nowMs);
    this.level = Math.min(this.burst, this.level + elapsed * this.perMs);
  }
}
