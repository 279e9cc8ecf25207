import { type Clock, steadyMs } from '../../ports/clock.ts';

/** Whatever the target, so many lines may be sent ahead of the commit that says so. */
const WINDOW_MIN = 8;
/** A window that was never used by half for so long is halved. */
const UNUSED_MS = 2_000;

/** How many lines of a batch in one queue may be ahead of the commits that say so: what a crash can leave in doubt. */
export interface SendWindow {
  readonly lines: number;
  /** Told that there was nothing left to send before the next commit: it grows, within bounds. */
  starve(): void;
  /** Told of a commit before which `unsent` lines of the window were left. */
  granted(unsent: number): void;
}

/**
 * The windows of all queues: as little as keeps them sending. Mostly that is what can be in flight at once. A target that
 * answers at once takes more lines in the time of a commit: each time that it has to wait, its window doubles.
 */
export class Windows {
  private readonly clock: Pick<Clock, 'micros'>;
  private readonly windows = new Map<string, QueueWindow>();
  /** Results that may wait to be committed: beyond these and those in flight no segment gets anywhere. */
  private readonly uncommittedMax: number;

  constructor(clock: Pick<Clock, 'micros'>, uncommittedMax: number) {
    this.clock = clock;
    this.uncommittedMax = uncommittedMax;
  }

  /** The window of `queue`, whose targets take `slots()` requests at once now. */
  of(queue: string, slots: () => number): SendWindow {
    const known = this.windows.get(queue);
    if (known) return known;
    const window = new QueueWindow(this.clock, slots, this.uncommittedMax);
    this.windows.set(queue, window);
    return window;
  }
}

class QueueWindow implements SendWindow {
  private readonly clock: Pick<Clock, 'micros'>;
  private readonly slots: () => number;
  private readonly uncommittedMax: number;
  private learned = 0;
  private usedAt = 0;
  private grantedLines = 0;
  private isStarving = false;

  constructor(clock: Pick<Clock, 'micros'>, slots: () => number, uncommittedMax: number) {
    this.clock = clock;
    this.slots = slots;
    this.uncommittedMax = uncommittedMax;
  }

  get lines(): number {
    const least = Math.max(WINDOW_MIN, Math.floor(this.slots()));
    return Math.min(least + this.uncommittedMax, Math.max(least, this.learned));
  }

  starve(): void {
    // Once for each commit.
    if (this.isStarving) return;
    this.isStarving = true;
    this.usedAt = steadyMs(this.clock);
    // Where more may be in flight by now, the next grant is larger for that.
    if (this.lines <= this.grantedLines) this.learned = this.lines * 2;
  }

  granted(unsent: number): void {
    this.isStarving = false;
    const now = steadyMs(this.clock);
    if (unsent * 2 <= this.lines) this.usedAt = now;
    else if (now - this.usedAt > UNUSED_MS) {
      this.learned = Math.floor(this.lines / 2);
      this.usedAt = now;
    }
    this.grantedLines = this.lines;
  }
}
