import type { LedgerSums } from '../core/ledger-sums.ts';
import type { LedgerFilter } from '../ports/store-ledger.ts';
import type { LedgerGroup } from '../protocol/ledger.ts';
import { DAY_SECONDS, HOUR_SECONDS, SUM_COLUMNS } from './ledger-rollup.ts';

/** A table with the ledger's figures: the unit of its times, how it says each group, and how it sums. */
export interface Source {
  table: 'ledger_entries' | 'ledger_hourly' | 'ledger_daily' | 'ledger_batches';
  /** Seconds; what it sums cannot be divided finer. */
  unit: number;
  time: 'created_at' | 'hour' | 'day';
  groups: Partial<Record<LedgerGroup, string>>;
  sums: Record<keyof LedgerSums, string>;
}

const NAMED_GROUPS = { provider: 'provider', model: 'model', target: 'target', status: 'status' } as const;
const ROLLED_SUMS = Object.fromEntries(SUM_COLUMNS.map(([name, sum]) => [sum, `sum(${name})`])) as Source['sums'];
const DAY_OF = (time: string) => `${time} - ${time} % ${DAY_SECONDS}`;

/** What takes an entry back holds its figures below zero; it is told by what it counts itself. */
export const SIGN = 'iif(reverses is null, 1, -1)';

/** What the entries of one line come to. A failed try that cost nothing makes no zero of an answer whose price nobody knows. */
export const LINE_AMOUNT = `iif(sum(amount_nano) = 0 and sum(iif(amount_nano is null, ${SIGN}, 0)) > 0, null, sum(amount_nano))`;

export const ENTRIES: Source = {
  table: 'ledger_entries',
  unit: 1,
  time: 'created_at',
  groups: {
    ...NAMED_GROUPS,
    key: 'key_id',
    batch: 'batch_id',
    // The whole set: which value of it counts is decided on reading.
    tag: 'tags_id',
    hour: `created_at - created_at % ${HOUR_SECONDS}`,
    day: DAY_OF('created_at'),
  },
  sums: {
    entries: `sum(${SIGN})`,
    requests: 'sum(final)',
    inputTokens: 'sum(input_tokens)',
    cachedInputTokens: 'sum(cached_input_tokens)',
    outputTokens: 'sum(output_tokens)',
    amountNano: 'sum(amount_nano)',
    listAmountNano: 'sum(list_amount_nano)',
    unpricedEntries: `sum(iif(amount_nano is null, ${SIGN}, 0))`,
    savingsNano: 'sum(list_amount_nano - amount_nano)',
    gpuMicroseconds: `sum(${SIGN} * (usage ->> 'gpu_microseconds'))`,
  },
};

const HOURLY: Source = {
  table: 'ledger_hourly',
  unit: HOUR_SECONDS,
  time: 'hour',
  groups: { ...NAMED_GROUPS, key: `nullif(key_id, '')`, hour: 'hour', day: DAY_OF('hour') },
  sums: ROLLED_SUMS,
};

const DAILY: Source = {
  table: 'ledger_daily',
  unit: DAY_SECONDS,
  time: 'day',
  groups: { ...NAMED_GROUPS, key: `nullif(key_id, '')`, day: 'day' },
  sums: ROLLED_SUMS,
};

const BATCHES: Source = {
  table: 'ledger_batches',
  unit: HOUR_SECONDS,
  time: 'hour',
  groups: { ...HOURLY.groups, batch: `nullif(batch_id, '')`, tag: `nullif(tags_id, '')` },
  sums: ROLLED_SUMS,
};

/** A part of the time asked for, and the table that tells it. */
export interface Piece {
  source: Source;
  from: number | undefined;
  to: number | undefined;
}

/**
 * The time of the filter, without gaps and overlaps, by the coarsest tables that know filter and groups: whole days from
 * sums by day, the rest of whole hours from sums by hour, and only what is left from the entries themselves.
 */
export function piecesOf(filter: LedgerFilter, groups: readonly LedgerGroup[]): Piece[] {
  const isOfBatches = filter.batchId !== undefined || filter.tag !== undefined;
  const plain = isOfBatches ? [] : [DAILY, HOURLY].filter((source) => groups.every((group) => group in source.groups));
  return divide(filter.from, filter.to, plain.length > 0 ? plain : [BATCHES]);
}

function divide(from: number | undefined, to: number | undefined, sources: readonly Source[]): Piece[] {
  if (from !== undefined && to !== undefined && from >= to) return [];
  const [source, ...finer] = sources;
  if (source === undefined) return [{ source: ENTRIES, from, to }];
  const { unit } = source;
  const first = from === undefined ? undefined : Math.ceil(from / unit) * unit;
  const last = to === undefined ? undefined : Math.floor(to / unit) * unit;
  if (first !== undefined && last !== undefined && first >= last) return divide(from, to, finer);
  return [
    ...(from === undefined || from === first ? [] : divide(from, first, finer)),
    { source, from: first, to: last },
    ...(to === undefined || to === last ? [] : divide(last, to, finer)),
  ];
}
