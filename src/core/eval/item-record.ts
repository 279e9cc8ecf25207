/** What one target made of one item. */
export interface ItemRecord {
  /** Its place in the data source, from 0. */
  item: number;
  /** Whether an answer came; without one the item is an error, and failed. */
  answered: boolean;
  /** Null without an answer, and where no grader gave one. */
  score: number | null;
  /** Null where there is an answer that could not be graded. */
  passed: boolean | null;
  /** Answered, whole, no refusal, and in the form that was asked for. */
  valid: boolean;
  truncated: boolean;
  refused: boolean;
  /** Null where calls are not timed one by one. */
  latencyMs: number | null;
  inputTokens: number;
  outputTokens: number;
  /** Nano-USD of all attempts; null when one of them has no price. */
  costNano: number | null;
}

/** A target and its records; records of the same place in two targets are of the same item. */
export interface TargetRecords {
  target: string;
  records: readonly ItemRecord[];
}

/** Pass or fail of an item: an item without an answer failed; null where an answer could not be graded. */
export function verdictOf(record: ItemRecord): boolean | null {
  return record.answered ? record.passed : false;
}
