/** A gauge that was wrong is believed again when it has said for so long that nothing waits. */
const BELIEVED_AGAIN_MS = 60_000;

/**
 * What a server's own count of waiting requests says. It may be stale, or another tenant's queue that ours have no part
 * in: then it stays where it is with one request of ours left, which is answered as soon as ever.
 */
export class QueueGauge {
  private doubted = false;
  private emptySince: number | null = null;
  /** It says that requests wait, and there is no more to give way with. */
  stands = false;

  /** Takes in a reading under a limit; true where requests wait and giving way may help. */
  waits(waiting: number, running: number | null, limit: number, nowMs: number): boolean {
    const isFull = waiting > Math.max(1, 0.1 * (running ?? 0));
    this.emptySince = isFull ? null : (this.emptySince ?? nowMs);
    if (this.emptySince !== null && nowMs - this.emptySince >= BELIEVED_AGAIN_MS) this.doubted = false;
    this.stands = isFull && !this.doubted && limit <= 1;
    return isFull && !this.doubted && limit > 1;
  }

  doubt(): void {
    this.doubted = true;
    this.stands = false;
  }
}
