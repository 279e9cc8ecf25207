import { isOpenAt, nextMinute, type Schedule } from '../../core/batch-hours.ts';
import type { Clock } from '../../ports/clock.ts';

/** When batch lines may be sent, looked at once a minute: by the wall clock, as operators state it. */
export class Hours {
  private readonly clock: Pick<Clock, 'now'>;
  /** null: always. */
  private readonly schedule: Schedule | null;
  private known = { open: true, from: Number.POSITIVE_INFINITY, until: Number.NEGATIVE_INFINITY };

  constructor(clock: Pick<Clock, 'now'>, schedule: Schedule | undefined) {
    this.clock = clock;
    this.schedule = schedule ?? null;
  }

  /** 0 while lines may be sent, else the milliseconds until it is to be asked again. */
  get closedMs(): number {
    if (this.schedule === null) return 0;
    const now = this.clock.now();
    // A clock that is set back makes what was known a matter of the future.
    if (now >= this.known.until || now < this.known.from)
      this.known = { open: isOpenAt(this.schedule, now), from: now, until: nextMinute(now) };
    return this.known.open ? 0 : this.known.until - now;
  }
}
