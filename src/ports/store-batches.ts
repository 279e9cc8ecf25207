import type { Lane } from '../core/lane.ts';
import type { BatchError, BatchSort, BatchStatus, BatchUsage } from '../protocol/batch.ts';
import type { Endpoint } from '../protocol/endpoint.ts';
import type { Metadata } from '../protocol/metadata.ts';
import type { BatchControl, StopReason } from './batch-control.ts';
import type { HoldAsk } from './store-budgets.ts';
import type { FileRow } from './store-files.ts';
import type { ListQuery, Scope } from './store-query.ts';
import type { SegmentRow } from './store-segments.ts';
import type { ShardRow } from './store-shards.ts';

/** What a batch asks of its provider batches. */
export interface BatchOptions {
  /** Native fields of the create call, by provider name. */
  providerOptions: Record<string, Record<string, unknown>>;
  /** The provider's untouched line is kept with each result. */
  includeRaw: boolean;
}

/** What the batch was estimated to come to, when it started; money in nano-USD, null where it had no price. */
export interface BatchEstimate {
  inputTokens: number;
  outputTokens: { low: number; expected: number; high: number };
  amountNano: { low: number | null; expected: number | null; high: number | null };
}

/** The API by which a batch came, where that is not OpenAI's: `messages` is Anthropic's Message Batches. */
export type BatchFront = 'messages';

/** Requests of an ended batch that did not run. */
export interface NeverRun {
  cancelled: number;
  expired: number;
}

export interface BatchRow {
  id: string;
  tenantId: string;
  keyId: string | null;
  endpoint: Endpoint;
  /** As the client wrote it: `immediate`, `24h`, … */
  completionWindow: string;
  inputFileId: string;
  metadata: Metadata | null;
  /** The route as the client named it, for display; null when lines find their targets by model. */
  configName: string | null;
  /** The route as resolved at creation (protocol/route.ts), so that later edits do not touch a running batch. */
  route: unknown;
  outputExpiresAfterSeconds: number | null;
  retryOf: string | null;
  /** -10 to 10: its share beside its tenant's other batches (core/batch-weight.ts). */
  priority: number;
  /** null when it asks nothing. */
  options: BatchOptions | null;
  /** null until it is made, and when it could not be. */
  estimate?: BatchEstimate | null;
  /** null for OpenAI's. */
  front: BatchFront | null;
  /** When it was deleted there; its account remains. */
  frontDeletedAt: number | null;
  /** Counted at the end of batches with a front of their own; null for others. */
  neverRun: NeverRun | null;

  status: BatchStatus;
  stop: StopReason | null;
  pausedAt: number | null;
  errors: BatchError[] | null;
  model: string | null;
  outputFileId: string | null;
  errorFileId: string | null;
  createdAt: number;
  inProgressAt: number | null;
  expiresAt: number;
  finalizingAt: number | null;
  completedAt: number | null;
  failedAt: number | null;
  expiredAt: number | null;
  cancellingAt: number | null;
  cancelledAt: number | null;

  total: number;
  completed: number;
  failed: number;
  usage: BatchUsage;
  amountNano: bigint;
  listAmountNano: bigint;
  entries: number;
  unpricedEntries: number;

  /** Made when the batch starts; empty before. */
  lanes: Lane[];
  /** Key of the lane file: one u16 per physical line, little-endian. */
  lanesKey: string | null;
  /** Segments and shards not yet done; an abandoned shard is not waited for. */
  openSegments: number;
}

/** Which batches to list; filters that are left out let every batch through. */
export interface BatchListQuery extends ListQuery {
  statuses?: readonly BatchStatus[] | undefined;
  /** Text in the id, the route, the model, the metadata or the input's file name; case does not matter. */
  search?: string | undefined;
  /** Unix seconds, inclusive. */
  createdFrom?: number | undefined;
  /** Unix seconds, exclusive. */
  createdBefore?: number | undefined;
  sort?: BatchSort | undefined;
  /** Those that came by it, and were not deleted there. */
  front?: BatchFront | undefined;
}

export interface StoreBatches {
  /** Adds a row; a row with this id already there is left as it is. Answers the stored row. */
  insert(row: BatchRow): Promise<BatchRow>;
  /**
   * As `insert`, with `hold` held at the budgets that cover it. Null, with nothing added, when its key has `liveMax`
   * batches already that have not ended, or a budget has no room for it.
   */
  insertWithin(row: BatchRow, bounds: { liveMax: number | null; hold: HoldAsk }): Promise<BatchRow | null>;
  get(scope: Scope, id: string): Promise<BatchRow | null>;
  /** By the sort's figure, then by age; newest first by default. Null when `after` names no batch in scope. */
  list(scope: Scope, query: BatchListQuery): Promise<BatchRow[] | null>;
  /** Those that have not ended, newest first. */
  live(scope: Scope, limit: number): Promise<BatchRow[]>;
  control(id: string): Promise<BatchControl | null>;
  /**
   * Running batches of at least so many requests, oldest first, up to `limit`, each with how many of its lines come before
   * the first one of a segment or shard that is open: what becomes of those does not change any more.
   */
  settledHeads(query: { lines: number; limit: number }): Promise<{ batch: BatchRow; lines: number }[]>;

  /**
   * Leases up to `limit` batches that need batch-level work, oldest due first:
   * validating; finalizing; in_progress with no open segment or shard; stopped (or cancelling) with no live segment
   * lease and no shard that may still bring results. Pending shards of a stopped batch that nobody holds end with it.
   * A batch leased by someone else until later, or with `nextAt` in the future, is left out. One in_progress with no stop
   * and no answers to fall back on comes as finalizing: nothing is left to be done before.
   */
  claimDue(query: { now: number; until: number; token: string; limit: number }): Promise<BatchRow[]>;
  /** Prolongs those of these batches that `token` holds. */
  renew(ids: readonly string[], token: string, until: number): Promise<void>;
  /** Ends the leases of everyone but that token: nobody else works on this database. */
  recover(query: { others: string }): Promise<void>;
  /** Gives the lease back and sets when to look again; keeps `estimate` where there is one. */
  release(id: string, token: string, nextAt: number, estimate?: BatchEstimate | null): Promise<void>;

  /**
   * validating → in_progress; adds `rows` of its work, of which those there already are left as
   * they are. False when the lease was lost or the status moved (a cancel came first).
   */
  start(
    id: string,
    token: string,
    change: {
      now: number;
      total: number;
      refused: number;
      model: string | null;
      lanes: Lane[];
      lanesKey: string;
      /** Segments and shards together. */
      segments: number;
      rows?: { segments: readonly SegmentRow[]; shards: readonly ShardRow[] };
    },
  ): Promise<boolean>;
  /** validating → failed, with the lease given back. */
  fail(id: string, token: string, change: { now: number; errors: BatchError[] }): Promise<boolean>;
  /** in_progress → finalizing. */
  beginFinalizing(id: string, token: string, now: number): Promise<boolean>;
  /**
   * finalizing | cancelling → completed | expired | cancelled, together with the rows of its files, with the lease given
   * back. Counts are those of the files. Ends the batch's segments and pending shards; its other shards stay to be cleaned
   * up.
   */
  finish(
    id: string,
    token: string,
    change: {
      now: number;
      status: 'completed' | 'expired' | 'cancelled';
      completed: number;
      failed: number;
      outputFile: FileRow | null;
      errorFile: FileRow | null;
      /** Why not every line was run; kept with the batch. */
      errors?: BatchError[] | null;
      neverRun?: NeverRun | null;
    },
  ): Promise<boolean>;

  /**
   * validating | in_progress → cancelling, with stop = cancelled. Answers the row after it, null when there is none;
   * a row in any other status comes back unchanged.
   */
  cancel(scope: Scope, id: string, now: number): Promise<BatchRow | null>;
  /** An ended batch is not listed by its front any more. Repeating it changes nothing. */
  deleteFromFront(id: string, now: number): Promise<void>;
  /** Holds or goes on; only while validating or in_progress. Answers the row after it. */
  setPaused(scope: Scope, id: string, pausedAt: number | null): Promise<BatchRow | null>;
  /** Sets stop = expired on in_progress batches whose end has come, paused ones included; answers their ids. */
  stopExpired(now: number, limit: number): Promise<string[]>;
  /** Sets stop = input_lost on an in_progress batch that has no stop. */
  stopWithoutInput(id: string, now: number): Promise<void>;
  /** How many batches are in each status, for metrics. */
  countByStatus(): Promise<Record<BatchStatus, number>>;
}
