/** The lines of batches that this process has at providers as single requests, by batch and target. */
export interface InFlight {
  begin(batchId: string, target: string): void;
  end(batchId: string, target: string): void;
  /** Lines by target that were sent and are not answered yet. */
  of(batchId: string): ReadonlyMap<string, number>;
}
