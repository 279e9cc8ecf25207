/**
 * Whether a server that answers nothing but trouble is out, which passes, or the requests are at fault. Lines wait for the end
 * of an outage; one that no server can answer is to fail soon.
 *
 * What tells: others that were served between two failures of a line; what the server says of itself; how many lines meet
 * nothing else. Where none of that is to be had, as a line is the last one, its own tries for a while are all there is.
 */

/** So many lines that all fail tell of an outage, whatever the server says of itself: a proxy may speak for one that starts. */
const LINES_TELL = 8;
/** Beyond that, what says that it is well is believed. */
const DOUBTED_MAX_MS = 5 * 60_000;
/** A line that nothing else tells of is tried for so long: a handful of times, as waits grow. */
const ALONE_MAX_MS = 2 * 60_000;

/** What a line has met at a server before: since when, and when last. Times are milliseconds of a steady clock. */
export interface Troubles {
  since: number;
  at: number;
}

export class OutageWatch {
  /** Since when all that it answers is trouble; null while something serves. */
  since: number | null = null;
  private at = Number.NEGATIVE_INFINITY;
  /** Lines that met nothing else since, each counted once. */
  private lines = 0;
  private servedAt = Number.NEGATIVE_INFINITY;
  private readonly maxMs: number;

  /** `maxMs`: lines wait no longer for its return. */
  constructor(maxMs: number) {
    this.maxMs = maxMs;
  }

  /** Takes in an answer that shows it at work. */
  served(nowMs: number): void {
    this.since = null;
    this.servedAt = nowMs;
  }

  /**
   * Takes in trouble; whether it speaks of an outage. `line`: what its line met before, null where this is the first, undefined
   * for what is no line. `wasWellSince`: whether the server has said since a moment that it is well; null where it never says.
   */
  isOut(nowMs: number, line: Troubles | null | undefined, wasWellSince: ((ms: number) => boolean) | null): boolean {
    // What nobody asked about for so long is a new case.
    if (this.since === null || nowMs - this.at > this.maxMs) {
      this.since = nowMs;
      this.lines = 0;
    }
    this.at = nowMs;
    if (line === null) this.lines += 1;
    const lastedMs = nowMs - this.since;
    if (lastedMs >= this.maxMs || (line && this.servedAt > line.at)) return false;
    if (wasWellSince !== null) {
      return !wasWellSince(this.since) || (this.lines >= LINES_TELL && lastedMs < DOUBTED_MAX_MS);
    }
    return this.lines >= LINES_TELL || !line || nowMs - line.since < ALONE_MAX_MS;
  }
}
