import type { AllowanceAsk } from '../core/budget-allowance.ts';
import type { BatchUsage } from '../protocol/batch.ts';
import type { BatchControl } from './batch-control.ts';
import type { LedgerEntryRow } from './store-ledger.ts';

/**
 * A run of lines of one lane of one batch. `firstLine`/`lastLine` are 0-based and inclusive; only the lines of `lane`
 * between them belong to it, `lines` of them.
 */
export interface SegmentRow {
  id: string;
  batchId: string;
  tenantId: string;
  lane: number;
  /** Which target's work it is (the first candidate's provider, or all that share it): what `exclude` speaks of. */
  queue: string;
  /** Index of the lane's candidate that the segment starts with. */
  candidate: number;
  firstLine: number;
  lastLine: number;
  lines: number;
}

export interface SegmentLease extends SegmentRow {
  token: string;
  leaseUntil: number;
  /**
   * How many of the segment's lines, from its start, may have been sent before: an earlier lease ended without saying
   * what became of them. 0 on a fresh or cleanly released segment.
   */
  granted: number;
  /** False on a first lease: then no part can hold any of its results. */
  resumed: boolean;
}

/** Result lines made durable together; the object is at `key` (core/part.ts gives its form). */
export interface PartRow {
  key: string;
  batchId: string;
  /** 0-based, inclusive. */
  firstLine: number;
  lastLine: number;
  count: number;
  bytes: number;
  indexOffset: number;
  createdAt: number;
  /** How many lines of the batch were in flight until it was written; null where they were in a provider batch. */
  busyMs: number | null;
  busyFrom: number | null;
  busyUntil: number | null;
}

export interface SegmentProgress {
  id: string;
  token: string;
  /** New value of the lease's `granted`. */
  granted: number;
  /** Every line of it has a result: the segment is done. */
  finished: boolean;
}

export interface Commit {
  batchId: string;
  now: number;
  leaseUntil: number;
  part: PartRow | null;
  segments: SegmentProgress[];
  entries: LedgerEntryRow[];
  completed: number;
  failed: number;
  /** Sum over the delivered successes of this commit. */
  usage: BatchUsage;
  /** What the server may have under way afterwards; the answer tells what it got. */
  allowance?: AllowanceAsk;
}

export type CommitOutcome =
  | { ok: true; control: BatchControl }
  /** Nothing was written: these segments' leases are gone (empty: the batch takes no results any more). */
  | { ok: false; lost: string[] };

/** What segments a claim is for. */
export interface ClaimDemand {
  /** Queues of which none is wanted. */
  exclude: readonly string[];
  /** Queues of which only batches and tenants are wanted that are not in `held`, and one segment of each batch. */
  newcomers?: readonly string[];
  held?: readonly ({ queue: string; batchId: string } | { queue: string; tenantId: string })[];
}

export interface StoreSegments {
  /** Adds rows; ids already there are left as they are (planning may run twice). */
  insertMany(rows: readonly SegmentRow[]): Promise<void>;
  /**
   * Leases up to `limit` pending segments, of those that the demand leaves, of running (in_progress, not paused, not
   * stopped) batches. Tenants take turns, the one served longest ago first, and so do the batches of a tenant, those of
   * a high priority sooner; within a batch by line. A holder gives each claim
   * a token of its own, `<holder>/<number>`: a segment that it lost and leases again is another lease, and what it
   * still has in flight under the first must not pass for results under the second.
   */
  claim(query: { now: number; until: number; token: string; limit: number } & ClaimDemand): Promise<SegmentLease[]>;
  /** Leases up to `limit` pending segments of a batch, whatever its state, of which lines may have been sent (`granted`). */
  claimDoubtful(query: { batchId: string; token: string; until: number; limit: number }): Promise<SegmentLease[]>;
  /**
   * Part, ledger entries, rollups, batch progress and segment progress: all or nothing, fenced by every lease named.
   * A commit whose part is there already was made before: it changes nothing and answers ok.
   */
  commit(commit: Commit): Promise<CommitOutcome>;
  /**
   * Prolongs these leases, where they still hold; answers the control of every batch of theirs. What is not named (it
   * was claimed in a call whose answer was lost, or could not be given back) ends by itself.
   */
  renew(held: readonly { id: string; token: string }[], until: number): Promise<Map<string, BatchControl>>;
  /** Gives segments back, cleanly: nothing of them is in flight. */
  release(segments: readonly { id: string; token: string }[]): Promise<void>;
  /** Makes leases that ended before `now` claimable again, as resumed. With `others`: all but that holder's; with `holder`: that one's. */
  recover(query: { now: number } | { others: string } | { holder: string }): Promise<number>;
  /** Parts of a batch that touch [firstLine, lastLine], by firstLine. */
  parts(batchId: string, firstLine: number, lastLine: number): Promise<PartRow[]>;
  /** Parts of a batch in the order they were committed, after `afterKey` (null: from the first). */
  partsSince(batchId: string, afterKey: string | null, limit: number): Promise<PartRow[]>;
  /** Pending, leased and done lines per queue, for metrics. */
  backlog(): Promise<{ queue: string; pending: number; leased: number }[]>;
}
