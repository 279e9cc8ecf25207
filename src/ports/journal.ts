/**
 * Lines that outlive the process as soon as they are appended, on the way to the database: cheaper than a commit, and
 * lost only with the machine.
 */
export interface Journal {
  readonly id: string;
  /** Appends one line (no line feed in it). Throws when it cannot be kept. */
  append(line: string): void;
  /** Everything that was appended is in the database: begins anew, under a new id, if it has grown large. */
  rotate(): void;
  /** Ends it and removes what it kept. Call it when everything is in the database. */
  close(): void;
}

/** The journals of this machine. */
export interface Journals {
  open(): Journal;
  /** Journals of processes that are no more. */
  leftovers(): Promise<LeftoverJournal[]>;
}

export interface LeftoverJournal {
  id: string;
  /** Whole lines, in the order they were appended. */
  lines(): AsyncIterable<string>;
  remove(): Promise<void>;
}
