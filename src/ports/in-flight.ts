/** How many lines were in flight over a while, as the area under that curve. */
export interface BusyTime {
  /** Milliseconds that lines spent in flight, all of them added up: divided by the while, it is how many there were. */
  busyMs: number;
  /** The while, in milliseconds of the wall clock. */
  busyFrom: number;
  busyUntil: number;
}

/** The lines of batches that this process has at providers as single requests, by batch and target. */
export interface InFlight {
  begin(batchId: string, target: string): void;
  end(batchId: string, target: string): void;
  /** Lines by target that were sent and are not answered yet. */
  of(batchId: string): ReadonlyMap<string, number>;
  /** Since it was taken last; null when nothing was in flight since. */
  busy(batchId: string): BusyTime | null;
  /** The same, after which it counts anew. */
  takeBusy(batchId: string): BusyTime | null;
}
