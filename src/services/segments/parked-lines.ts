import type { RefusalVerdict } from '../../core/target-hold.ts';
import { type Clock, steadyMs } from '../../ports/clock.ts';
import { WakeTimer } from '../gates/wake-timer.ts';
import type { Job } from './work.ts';

/** For so long others may tell: at the end of a batch there may be none. */
const PARKED_MAX_MS = 5_000;

interface Parked {
  job: Job;
  model: string;
  /** By the steady clock. */
  refusedAt: number;
  end: (isKept: boolean) => void;
}

interface Judge {
  /** Whose its refusal is, as far as is known by now: a line of which it is the account's is kept. */
  verdictOf(line: Parked): RefusalVerdict;
  /** Whether a line is kept that nothing else tells of: its own next try has to. */
  triesAgain(line: Parked): boolean;
}

/**
 * Lines that were refused while nobody knew whether the account is, or they are. They have no place in flight, nor a result:
 * what becomes of others tells which of the two it was, or a moment passes in which nothing does.
 */
export class ParkedLines {
  private readonly clock: Pick<Clock, 'micros'>;
  private readonly judge: Judge;
  private lines: Parked[] = [];
  private readonly timer: WakeTimer;

  constructor(clock: Pick<Clock, 'micros'>, judge: Judge) {
    this.clock = clock;
    this.judge = judge;
    this.timer = new WakeTimer(() => this.look());
  }

  get size(): number {
    return this.lines.length;
  }

  /** `end` is called once, by whether the line is kept. */
  park(job: Job, model: string, end: (isKept: boolean) => void): void {
    const now = steadyMs(this.clock);
    this.lines.push({ job, model, refusedAt: now, end });
    this.timer.set(now + PARKED_MAX_MS, now);
  }

  /** Ends those of which more is known by now. */
  look(): void {
    if (this.lines.length === 0) return;
    const now = steadyMs(this.clock);
    const told: { line: Parked; isKept: boolean }[] = [];
    this.lines = this.lines.filter((line) => {
      const verdict = this.judge.verdictOf(line);
      const isOpen = verdict === 'open' && now - line.refusedAt < PARKED_MAX_MS;
      if (verdict !== 'open') told.push({ line, isKept: verdict === 'account' });
      else if (!isOpen) told.push({ line, isKept: this.judge.triesAgain(line) });
      return isOpen;
    });
    this.timer.set((this.lines[0]?.refusedAt ?? Number.POSITIVE_INFINITY) + PARKED_MAX_MS, now);
    for (const { line, isKept } of told) line.end(isKept);
  }

  /** Ends lines that are not sent from here any more. */
  withdraw(isGone: (job: Job) => boolean): void {
    const gone = this.lines.filter(({ job }) => isGone(job));
    this.lines = this.lines.filter(({ job }) => !isGone(job));
    for (const { end } of gone) end(false);
  }

  close(): void {
    this.timer.clear();
  }
}
