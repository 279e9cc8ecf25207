/** Whatever the target, so many lines may be sent ahead of the commit that says so. */
const WINDOW_MIN = 32;

/** How many lines one segment may be ahead of its commits. */
export interface SendWindow {
  readonly lines: number;
  /** Told that the segment had to wait for a commit with nothing to send. */
  widen(): void;
}

/**
 * How far the segments of each queue may be ahead of their commits: as little as keeps them sending, for a crash leaves
 * that much in doubt. Mostly that is what can be in flight at once. A target that answers at once takes more lines in the
 * time of a commit: each time that it has to wait, its window doubles, for its later segments too.
 */
export class Windows {
  private readonly learned = new Map<string, number>();
  /** Results that may wait to be committed: beyond these and those in flight no segment gets anywhere. */
  private readonly uncommittedMax: number;

  constructor(uncommittedMax: number) {
    this.uncommittedMax = uncommittedMax;
  }

  /** The window of a segment of `queue`, whose targets take `slots` requests at once. */
  open(queue: string, slots: number): SendWindow {
    const { learned, uncommittedMax } = this;
    const most = Math.max(WINDOW_MIN, slots) + uncommittedMax;
    const window = {
      lines: Math.min(most, Math.max(WINDOW_MIN, slots, learned.get(queue) ?? 0)),
      widen(): void {
        window.lines = Math.min(most, Math.max(window.lines * 2, learned.get(queue) ?? 0));
        learned.set(queue, window.lines);
      },
    };
    return window;
  }
}
