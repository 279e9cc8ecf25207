/** How many lines were in flight over a while, as the area under that curve. */
export interface BusyTime {
  /** Milliseconds that lines spent in flight, all of them added up: divided by the while, it is how many there were. */
  busyMs: number;
  /** The while, in milliseconds of the wall clock. */
  busyFrom: number;
  busyUntil: number;
}

/** The lines of batches that this server has at providers as single requests, by batch and target. */
export interface InFlight {
  begin(batchId: string, target: string): void;
  end(batchId: string, target: string): void;
  /** Lines by target that were sent and are not answered yet. */
  of(batchId: string): ReadonlyMap<string, number>;
  /** Since it was taken last, of each engine of this server that had something in flight since. */
  busy(batchId: string): readonly BusyTime[];
  /** Of this engine alone, after which it counts anew; null when nothing was in flight since. */
  takeBusy(batchId: string): BusyTime | null;
  /** Batches that this engine has something in flight of, or had since its busy time was taken. */
  batches(): string[];
}
