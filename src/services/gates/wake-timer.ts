/** Longer waits overflow a timer, which would then end at once: it wakes before its time instead. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** One timer for the next moment at which something is due by itself; an earlier moment takes the place of a later one. */
export class WakeTimer {
  private readonly wake: () => void;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private timerAt = Number.POSITIVE_INFINITY;

  constructor(wake: () => void) {
    this.wake = wake;
  }

  /** Both in milliseconds of one clock; `at` may be infinite: nothing is due. */
  set(at: number, now: number): void {
    if (!Number.isFinite(at) || (this.timer !== null && this.timerAt <= at)) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timerAt = at;
    this.timer = setTimeout(
      () => {
        this.timer = null;
        this.timerAt = Number.POSITIVE_INFINITY;
        this.wake();
      },
      Math.min(TIMER_MAX_MS, Math.max(1, at - now)),
    );
  }

  clear(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
