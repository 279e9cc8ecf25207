import type { Point } from './load.ts';
import { isQuick, isWait } from './waits.ts';

/**
 * What a server did under one limit. Its slowdown is the quotient of sums, all latencies against all that would be usual:
 * what short requests wait counts as much as what long ones do, as it does for the server.
 */
export class Window {
  count = 0;
  failures = 0;
  /** Answers that count against failures, and for nothing else. */
  passed = 0;
  /** The fewest requests in flight at which one was refused. */
  leastRefusedAt = Number.POSITIVE_INFINITY;
  private latencies = 0;
  private usuals = 0;
  private inFlight = 0;
  private latencySquares = 0;
  private usualSquares = 0;
  private products = 0;

  /** `inFlight`: requests in flight when it was sent, itself included. */
  add(latencyMs: number, usualMs: number, inFlight: number): void {
    this.count += 1;
    this.latencies += latencyMs;
    this.usuals += usualMs;
    this.inFlight += inFlight;
    this.latencySquares += latencyMs * latencyMs;
    this.usualSquares += usualMs * usualMs;
    this.products += latencyMs * usualMs;
  }

  fail(inFlight: number): void {
    this.failures += 1;
    this.leastRefusedAt = Math.min(this.leastRefusedAt, inFlight);
  }

  clear(): void {
    this.count = 0;
    this.failures = 0;
    this.passed = 0;
    this.leastRefusedAt = Number.POSITIVE_INFINITY;
    this.latencies = 0;
    this.usuals = 0;
    this.inFlight = 0;
    this.latencySquares = 0;
    this.usualSquares = 0;
    this.products = 0;
  }

  get slowdown(): number {
    return this.latencies / this.usuals;
  }

  get meanInFlight(): number {
    return this.inFlight / this.count;
  }

  get meanUsualMs(): number {
    return this.usuals / this.count;
  }

  get meanLatencyMs(): number {
    return this.latencies / this.count;
  }

  get failureShare(): number {
    return this.failures / (this.count + this.passed + this.failures);
  }

  /** Whether answers, as they are `here`, took so much longer than at `base` that it matters. */
  waited(here: Point, base: Point): boolean {
    const { meanLatencyMs, meanUsualMs } = this;
    return isWait(meanLatencyMs, (meanLatencyMs * base.slowdown) / here.slowdown, meanUsualMs);
  }

  /** Whether answers take longer at `base` than with fewer at once, where the slowdown was `lowest`. `error`: a share of it. */
  isCrowded(base: Point, lowest: number, error: number): boolean {
    const { meanUsualMs } = this;
    if (base.slowdown <= lowest * (1.15 + 2 * error)) return false;
    return !isQuick(meanUsualMs) || isWait(meanUsualMs * base.slowdown, meanUsualMs * lowest, meanUsualMs);
  }

  /** Standard error of the slowdown, as a share of it. */
  get relativeError(): number {
    if (this.count < 2) return Number.POSITIVE_INFINITY;
    const { slowdown } = this;
    const squares = this.latencySquares - 2 * slowdown * this.products + slowdown * slowdown * this.usualSquares;
    return Math.sqrt((Math.max(0, squares) * this.count) / (this.count - 1)) / this.latencies;
  }
}
