/** A budget per minute that refills evenly; a cost larger than the burst is let through when the budget is full. */
export class MinuteBudget {
  private readonly perMs: number;
  private readonly burst: number;
  private level: number;
  private updatedAt: number;

  constructor(perMinute: number, nowMs: number) {
    this.perMs = perMinute / 60_000;
    // One second's worth: a minute's worth at once is what providers answer with 429.
    this.burst = Math.max(1, perMinute / 60);
    this.level = this.burst;
    this.updatedAt = nowMs;
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

  private refill(nowMs: number): void {
    const elapsed = Math.max(0, nowMs - this.updatedAt);
    this.updatedAt = Math.max(this.updatedAt, nowMs);
    this.level = Math.min(this.burst, this.level + elapsed * this.perMs);
  }
}
