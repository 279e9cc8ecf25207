import type { EntryStatus } from '../protocol/ledger.ts';
import type { BusyTime } from './in-flight.ts';

/** Failed attempts of one batch with one cause at one target, with the first lines that had it. */
export interface FailureGroup {
  status: EntryStatus;
  statusCode: number | null;
  errorCode: string | null;
  target: string;
  attempts: number;
  /** Requests that ended so; the other attempts were made again. */
  requests: number;
  /** 1-based lines; those that ended so come first. */
  examples: { line: number; customId: string; final: boolean }[];
}

/** What is asked of one batch to understand it, beside its rows. */
export interface StoreInsight {
  /** Requests that became durable, by stretches of `bucketSeconds` (unix seconds of their start), oldest first. */
  throughput(batchId: string, bucketSeconds: number): Promise<{ at: number; requests: number }[]>;
  /**
   * Lines in flight, oldest first: each row the line-milliseconds between two moments (Unix milliseconds). What lies
   * within one stretch of `bucketSeconds` comes as one row.
   */
  busyTimes(batchId: string, bucketSeconds: number): Promise<BusyTime[]>;
  /** The most frequent groups, at most `limit`. */
  failures(batchId: string, limit: number): Promise<FailureGroup[]>;
}
