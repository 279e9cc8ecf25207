import type { Clock } from '../../ports/clock.ts';
import type { Gate } from '../../ports/gates.ts';

/**
 * Lines whose answer is there and whose result is still to be written. Their slots are free, and the next requests go out
 * first: where many answers come in at once, the servers are not to wait until all of them are dealt with here.
 */
export class Answered {
  private readonly clock: Pick<Clock, 'afterTurn'>;
  private waiting: { gate: Gate; end: () => void }[] = [];

  constructor(clock: Pick<Clock, 'afterTurn'>) {
    this.clock = clock;
  }

  get count(): number {
    return this.waiting.length;
  }

  /** Fills the slot that is free at `gate`, and calls `end` after that. */
  add(gate: Gate, end: () => void): void {
    gate.pump();
    const { clock } = this;
    this.waiting.push({ gate, end });
    if (clock.afterTurn === undefined) this.endAll();
    else if (this.waiting.length === 1) clock.afterTurn(() => this.endAll());
  }

  private endAll(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const { end } of waiting) end();
    // What they have used, or not, may be what the next lines waited for.
    for (const gate of new Set(waiting.map(({ gate }) => gate))) gate.pump();
  }
}
