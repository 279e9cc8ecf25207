import type { Failure } from '../core/failure.ts';
import type { PausedTarget } from '../core/shard-alert.ts';
import type { ShardState } from '../core/shard-state.ts';
import type { BatchUsage } from '../protocol/batch.ts';
import type { Endpoint } from '../protocol/endpoint.ts';
import type { ShardAlertCode } from '../protocol/shard-alert.ts';
import type { BatchControl } from './batch-control.ts';
import type { LedgerEntryRow } from './store-ledger.ts';
import type { PartRow, SegmentRow } from './store-segments.ts';

/** The lines of `lane` between `firstLine` and `lastLine` (0-based, inclusive) of `endpoint` that had no result when it began. */
export interface ShardRow {
  id: string;
  batchId: string;
  tenantId: string;
  lane: number;
  /** Index of the lane's candidate that this provider batch is for. */
  candidate: number;
  provider: string;
  model: string;
  endpoint: Endpoint;
  firstLine: number;
  lastLine: number;
  lines: number;
  bytes: number;
  /** Estimated input tokens, for the provider's queue limit. */
  tokens: number;

  state: ShardState;
  /** Tries to submit so far; the token is made anew for each that certainly left nothing behind. */
  tries: number;
  token: string | null;
  providerBatchId: string | null;
  /** Remote ids and places by name. */
  refs: Record<string, string>;
  /**
   * Where it is made (BatchApi.place), with a mark of the account and the region whose prices apply; null before its first
   * try, and where that was not noted.
   */
  place: { name: string; mark: string; region?: string } | null;
  /** The provider's own status word. */
  raw: string | null;
  counts: { total: number; succeeded: number; failed: number } | null;
  /** Why it waits, or why it ended without results. */
  failure: Failure | null;
  createdAt: number;
  submittedAt: number | null;
  /** When the counts or the status word last changed. */
  progressAt: number | null;
  /** When the provider was asked to stop it. */
  cancelAskedAt: number | null;
  endedAt: number | null;
  /** When it ran (core/ran-at.ts), as far as prices go; null until its end was seen. */
  ranAt: number | null;
  /** When the provider's files were removed. */
  cleanedAt: number | null;
  /** What is due next, and when. */
  nextAt: number;
  /** Outside the hours of its target: it waits for them, it was submitted all the same, or its lines went elsewhere. */
  hours: 'waits' | 'missed' | 'left' | null;
}

export interface ShardLease extends ShardRow {
  leaseToken: string;
  leaseUntil: number;
}

/** What a holder of the lease may set. */
export type ShardChange = Partial<
  Omit<
    ShardRow,
    'id' | 'batchId' | 'tenantId' | 'lane' | 'candidate' | 'provider' | 'model' | 'endpoint' | 'firstLine' | 'lastLine'
  >
>;

export interface ShardCommit {
  batchId: string;
  /** Unix seconds. */
  now: number;
  shardId: string;
  leaseToken: string;
  part: PartRow | null;
  /** Answers of these lines that are not taken: each is what is left if the line's next try comes to nothing. */
  spare?: PartRow | null;
  /** Entries carry `shardId`; a line of a shard that has one already is left out (collecting may run twice). */
  entries: LedgerEntryRow[];
  /** Of all lines of the commit. The store takes off those of entries that it leaves out as their line was decided before. */
  completed: number;
  failed: number;
  usage: BatchUsage;
}

/** What takes a shard's place: work on the same lines with other targets, or on parts of them. */
export interface FollowUp {
  segments: SegmentRow[];
  shards: ShardRow[];
}

export interface ShardAlertCount {
  provider: string;
  code: ShardAlertCode;
  reason: string | null;
  shards: number;
}

/** A shard that became a provider batch, with what the ledger has of it; money in nano-USD. */
export interface SubmittedShard extends ShardRow {
  ledger: { entries: number; inputTokens: number; outputTokens: number; amountNano: bigint };
}

/** A line of a shard by what it asks: lines that ask the same can share one answer (services/cache/cache-key.ts). */
export interface AskedLine {
  /** 0-based. */
  line: number;
  question: string;
}

/** A shard that asks. */
export interface Asker {
  shardId: string;
  batchId: string;
}

export interface StoreShards {
  /** A random word that tells this installation's objects at providers from those of others: 8 of [a-z0-9], for ever the same. */
  installation(): Promise<string>;
  /** Adds rows; ids already there are left as they are (planning may run twice). */
  insertMany(rows: readonly ShardRow[]): Promise<void>;
  get(id: string): Promise<ShardRow | null>;
  /** The shards of a batch by firstLine, each with what it cost so far; without those that stand for a lost create call alone. */
  list(batchId: string): Promise<(ShardRow & { amountNano: bigint; unpriced: number; entries: number })[]>;
  /** What was cut from the shard `id`, and from that, however deep; in no order. */
  cutFrom(id: string): Promise<ShardRow[]>;
  /** Those submitted from `from` on and before `to`, oldest first, after the shard `after`. */
  submitted(query: { from: number; to: number; after: string | null; limit: number }): Promise<SubmittedShard[]>;
  /**
   * Leases up to `limit` shards with nextAt ≤ now that nobody holds, oldest due first: those not done of started batches
   * (paused ones too, except pending), and done ones that are not cleaned up. Pending shards of paused or stopped
   * batches are left out, as are pending ones of `paused` targets (`model` null: all of the provider), and all of the
   * providers in `exclude`.
   */
  claimDue(query: {
    now: number;
    until: number;
    token: string;
    limit: number;
    exclude: readonly string[];
    paused: readonly { provider: string; model: string | null }[];
  }): Promise<ShardLease[]>;
  /**
   * Sets fields under the lease. False when the lease is gone. Throws on a move that core/shard-state.ts does not allow,
   * and on one that ends open work, which is settle's.
   */
  save(id: string, leaseToken: string, change: ShardChange): Promise<boolean>;
  /** Prolongs what `leaseToken` holds: a step that uploads or downloads for long. */
  renew(ids: readonly string[], leaseToken: string, until: number): Promise<void>;
  /** Gives the lease back. */
  release(id: string, leaseToken: string): Promise<void>;
  /** Part, entries, rollups and batch progress: all or nothing, fenced by the lease and by the batch's taking results. */
  commit(commit: ShardCommit): Promise<{ ok: true; control: BatchControl } | { ok: false }>;
  /** The spare parts of a batch that touch [firstLine, lastLine], in the order they were committed. */
  spares(batchId: string, firstLine: number, lastLine: number): Promise<PartRow[]>;
  /** 1-based lines that have an entry of this shard. */
  ledgeredLines(shardId: string): Promise<Set<number>>;
  /**
   * Ends a shard (→ done), or gives it up (→ abandoned), and adds its follow-up, in one write: the batch's open work
   * changes by the follow-up less one. An abandoned shard counts no longer as open work. The lease stays. A batch that has
   * ended takes no follow-up. False when the lease is gone; throws on a move that core/shard-state.ts does not allow.
   */
  settle(
    id: string,
    leaseToken: string,
    change: { state: 'done' | 'abandoned'; now: number; nextAt: number; followUp: FollowUp },
  ): Promise<boolean>;
  /**
   * Notes lines that the shard is about to ask its provider for; with `fresh` in place of all noted before. Answers, by
   * question, the shard that asks it already, with its batch: its provider batch is under way, or a step of its submit is.
   * Such a line is not noted. null, with nothing written, when the lease is gone.
   */
  ask(
    lease: { id: string; leaseToken: string },
    lines: readonly AskedLine[],
    fresh: boolean,
  ): Promise<Map<string, Asker> | null>;
  /** Whether every one of these shards is still on its way to answers. */
  areAsking(ids: readonly string[]): Promise<boolean>;
  /** The lines that a shard asks for, until it is done or abandoned. None of a shard in which no answer can be given again. */
  askedLines(shardId: string): Promise<AskedLine[]>;
  /** Of a provider (and model, if named): provider batches submitted and not ended, and their tokens. */
  load(provider: string, model: string | null): Promise<{ jobs: number; tokens: number }>;
  /** Which of these tokens belong to rows, other than done ones that never had a provider batch: see `adopt`. */
  knownTokens(tokens: readonly string[]): Promise<Set<string>>;
  /**
   * A provider batch of this token is there after all, though its row ended without one: the row is abandoned from now on,
   * to be told to stop and entered. False where there is no such row.
   */
  adopt(
    token: string,
    found: { id: string; refs: Readonly<Record<string, string>>; submittedAt: number; now: number },
  ): Promise<boolean>;
  /** Makes leases that ended claimable; with `others`, all but that token's. */
  recover(query: { now: number } | { others: string }): Promise<number>;
  /** Shards by provider and state, for metrics. */
  countByState(): Promise<{ provider: string; state: ShardState; count: number }[]>;
  /**
   * Targets at which a pending shard waits for its next try because an operator is needed: credentials and credit concern
   * a provider, permission one of its models.
   */
  pausedTargets(now: number): Promise<PausedTarget[]>;
  /**
   * Shards by provider that need a look (core/shard-alert.ts): no progress since `stuckBefore`, results unread since
   * `unreadBefore`, or an operator needed, then with the failure's code as `reason`.
   */
  alerts(query: { stuckBefore: number; unreadBefore: number }): Promise<ShardAlertCount[]>;
  /**
   * Makes what a stopped batch has at providers due now: each second there may cost. Not what is looked for after a lost
   * answer: a provider's lists show a batch late, and one that is not found is taken for none.
   */
  hasten(batchId: string, now: number): Promise<void>;
}
