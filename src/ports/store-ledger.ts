import type { Unfit } from '../core/healing.ts';
import type { LedgerSums } from '../core/ledger-sums.ts';
import type { Rates } from '../core/rates.ts';
import type { Usage } from '../core/usage.ts';
import type { EntryStatus, LedgerGroup } from '../protocol/ledger.ts';

/** One attempt that reached a provider. (batchId, line, attempt) is unique; never updated, never deleted. */
export interface LedgerEntryRow {
  /** Of an entry without batch or line, where whoever makes it names it: written again, it is known by that. */
  id?: string;
  /** Unix seconds: when it was entered. Sums by day and hour go by it, so that those of the past never change. */
  createdAt: number;
  /** When the provider ran it, whose prices it has; absent or null where that is `createdAt`. */
  ranAt?: number | null;
  tenantId: string;
  keyId: string | null;
  batchId: string | null;
  customId: string | null;
  /** 1-based line of the input file. */
  line: number | null;
  attempt: number;
  mode: 'immediate' | 'batch' | 'sync';
  provider: string;
  target: string;
  model: string;
  servedModel: string | null;
  status: EntryStatus;
  /** True on the attempt that decided the line: summaries count these as requests. */
  final: boolean;
  statusCode: number | null;
  errorCode: string | null;
  usage: Usage | null;
  rawUsage: object | null;
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  rates: Rates | null;
  priceVersion: string | null;
  amountNano: number | null;
  listAmountNano: number | null;
  estimated: boolean;
  unpricedReason: string | null;
  /** The batch's metadata. */
  tags: Record<string, string> | null;
  latencyMs: number | null;
  /** Name of the route that the request went by; null where there is none. */
  route?: string | null;
  /** The shard whose provider batch brought it; a line has at most one entry of each shard. */
  shardId?: string | null;
}

export interface StoredLedgerEntry extends LedgerEntryRow {
  id: string;
  /** Of an entry that takes another one back or states it anew: which, and why it was made. */
  adjustment?: { kind: 'reversal' | 'correction'; adjusts: string; note: string };
}

/** An entry that may be adjusted, with its place in the order of arrival. */
export interface AdjustableEntry extends LedgerEntryRow {
  place: number;
  tagsId: string | null;
}

/** What an entry is to say in place of what it says. */
export interface Correction {
  entry: AdjustableEntry;
  rates: Rates;
  priceVersion: string;
  amountNano: number;
  listAmountNano: number | null;
}

/** What became of something of which nobody could say what it cost: `as` says so in its place; null: it never was, and cost nothing. */
export interface Resolution {
  entry: AdjustableEntry;
  as: LedgerEntryRow | null;
}

/** Times are unix seconds, `from` inclusive and `to` exclusive. */
export interface LedgerFilter {
  tenantId: string | null;
  from?: number | undefined;
  to?: number | undefined;
  batchId?: string | undefined;
  /** 1-based line of that batch; for entries only. */
  line?: number | undefined;
  provider?: string | undefined;
  model?: string | undefined;
  keyId?: string | undefined;
  status?: EntryStatus | undefined;
  tag?: { key: string; value: string } | undefined;
}

export interface LedgerSummaryRow extends LedgerSums {
  /** Values of the groups asked for; hour and day as unix seconds of their start; null where there is none. */
  group: Partial<Record<LedgerGroup, string | number | null>>;
}

export interface LineTotal {
  /** Highest attempt. */
  attempts: number;
  /** Sum of the known amounts; null when that is nothing and other amounts are unknown. */
  amountNano: number | null;
}

export interface StoreLedger {
  /**
   * Adds entries with their rollups outside a segment's commit (late answers, synchronous calls). An entry whose
   * (batch, line, attempt) is taken gets the next free attempt number; one whose (shard, line) has an entry is left
   * out. The batch's sums follow.
   */
  append(entries: readonly LedgerEntryRow[]): Promise<void>;
  /**
   * Adds entries of single calls, which have no batch and no line, with their rollups. `journal`: the journal that keeps
   * them, and its last line among them, kept in the same write. The same entries given again are not added again: they
   * are known by that line, or without a journal by the id of the first. `released`: holders whose holds end
   * with it.
   */
  appendCalls(
    entries: readonly LedgerEntryRow[],
    journal: { id: string; position: number } | null,
    released?: readonly string[],
  ): Promise<void>;
  /** The last line of a journal that was taken over; 0 for none. */
  journalPosition(id: string): Promise<number>;
  forgetJournal(id: string): Promise<void>;
  /** What all attempts of a line came to so far, per 1-based line of a batch between two lines, inclusive. */
  spent(batchId: string, firstLine: number, lastLine: number): Promise<Map<number, LineTotal>>;
  /** Answers that were not taken (entries with a code of core/healing.ts), oldest first, per 1-based line between two. */
  unfit(batchId: string, firstLine: number, lastLine: number): Promise<Map<number, Unfit[]>>;
  /**
   * As `spent`, of the lines alone of which the last attempt does not tell: those with several entries, or with none
   * that decided them.
   */
  lineTotals(batchId: string, firstLine: number, lastLine: number): Promise<Map<number, LineTotal>>;
  /** The same of every line between two lines that an entry decided, `by` a time (Unix seconds). */
  decided(batchId: string, firstLine: number, lastLine: number, by?: number): Promise<Map<number, LineTotal>>;
  /** The custom ids of the lines between two lines that have an entry, by 1-based line. */
  customIds(batchId: string, firstLine: number, lastLine: number): Promise<Map<number, string>>;
  /** Newest first (`asc`: oldest first); `after` is an entry's id; null when it names none. */
  entries(
    filter: LedgerFilter,
    page: { limit: number; after?: string | undefined; order?: 'asc' | 'desc' | undefined },
  ): Promise<StoredLedgerEntry[] | null>;
  /** Output tokens of the newest entries, newest first. */
  latestOutputTokens(filter: LedgerFilter, limit: number): Promise<number[]>;
  /** Entries as they stand, reversed ones and reversals left out, in order of arrival after a place. */
  adjustable(
    filter: LedgerFilter,
    page: { after: number; limit: number; unpricedOnly: boolean },
  ): Promise<AdjustableEntry[]>;
  /**
   * Takes entries back and states them anew, at `now`: for each a reversal and a correction, with rollups and the sums of
   * batches. Nothing is changed. False, with nothing written, when one of them was reversed meanwhile.
   */
  adjust(corrections: readonly Correction[], how: { now: number; note: string }): Promise<boolean>;
  /** Entries of a shard of which nobody could say how they ended, as they stand. */
  doubts(shardId: string): Promise<AdjustableEntry[]>;
  /** As `adjust`, where more is known now than a price. At most one of each line. */
  resolve(resolutions: readonly Resolution[], how: { now: number; note: string }): Promise<boolean>;
  /** Sums by group, by group value ascending; from the rollups as far as filter and groups allow it. */
  summary(filter: LedgerFilter, groups: readonly LedgerGroup[], tagKey: string | null): Promise<LedgerSummaryRow[]>;
}
