/** Shorter silences are nothing to be told from chance. */
const LEAST_MS = 1_000;
/** Most answers take less than this many times what they take of late. */
const UNHEARD_OF = 3;
/** A server that is silent again so soon is slow, not back. */
const AGAIN = 10;

/**
 * Tells a server that stood still for a while (it was paused, or the way to it was) from one that lost capacity: nothing at
 * all is answered, then what was in flight comes at once, and what is sent from then on is as quick as before. To cut its
 * limit for it would cost its throughput for long, as a small limit has few answers to grow by.
 */
export class Standstill {
  private answeredAt = Number.NEGATIVE_INFINITY;
  /** The last one's end. */
  private until = Number.NEGATIVE_INFINITY;
  private lastedMs = 0;

  /** Takes in an answer: whether its request lasted through a standstill. `longMs`: most take less; 0 when that is not known. */
  spans(latencyMs: number, longMs: number, nowMs: number): boolean {
    const started = nowMs - latencyMs;
    // Nobody was silent while nothing was asked.
    const silentFrom = Math.max(this.answeredAt, started);
    const silentMs = nowMs - silentFrom;
    const isUnheardOf = longMs > 0 && silentMs > Math.max(LEAST_MS, UNHEARD_OF * longMs);
    if (isUnheardOf && silentFrom - this.until > AGAIN * this.lastedMs) {
      this.until = nowMs;
      this.lastedMs = silentMs;
    }
    this.answeredAt = nowMs;
    return started < this.until;
  }
}
