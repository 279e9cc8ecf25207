/**
 * Lines that outlive the process as soon as they are appended, on the way to the database: cheaper than a commit, and
 * lost only with the machine.
 */
export interface Journal {
  readonly id: string;
  /** Its disk has no more room: what is left of its reserve is for what is under way. */
  readonly isCramped: boolean;
  /**
   * Appends one line (no line feed in it), which is asked for when it is written: until then it may grow. Resolves with
   * its number, counted from 1, as soon as it is kept, in the order of the calls; lines that come side by side are kept in
   * one write. Rejects when it cannot be kept: then nothing of it is.
   */
  append(line: () => string): Promise<number>;
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
