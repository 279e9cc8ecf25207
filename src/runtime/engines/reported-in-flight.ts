import type { InFlight } from '../../ports/in-flight.ts';
import type { EngineReport } from './messages.ts';

type Reported = EngineReport['inFlight'];

/** This thread's lines in flight, and those of the engines in other threads by what they last said. */
export class ReportedInFlight implements InFlight {
  readonly begin: InFlight['begin'];
  readonly end: InFlight['end'];
  readonly takeBusy: InFlight['takeBusy'];
  readonly batches: InFlight['batches'];
  private readonly own: InFlight;
  private readonly others = new Map<number, Reported>();

  constructor(own: InFlight) {
    this.own = own;
    this.begin = own.begin;
    this.end = own.end;
    this.takeBusy = own.takeBusy;
    this.batches = own.batches;
  }

  /** What the engine of a seat has in flight; null: it is no more. */
  note(seat: number, inFlight: Reported | null): void {
    if (inFlight === null) this.others.delete(seat);
    else this.others.set(seat, inFlight);
  }

  of(batchId: string): ReadonlyMap<string, number> {
    const counts = new Map(this.own.of(batchId));
    for (const { targets } of this.reportsOf(batchId)) {
      for (const [target, count] of targets) counts.set(target, (counts.get(target) ?? 0) + count);
    }
    return counts;
  }

  busy(batchId: string): ReturnType<InFlight['busy']> {
    return [...this.own.busy(batchId), ...this.reportsOf(batchId).flatMap(({ busy }) => busy)];
  }

  private reportsOf(batchId: string): Reported {
    return [...this.others.values()].flatMap((reported) => reported.filter((each) => each.batchId === batchId));
  }
}
