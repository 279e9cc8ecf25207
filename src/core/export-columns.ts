import { LEDGER_GROUPS, type LedgerEntryObject, type LedgerFigures } from '../protocol/ledger.ts';
import type { ColumnType, ExportSchema } from '../protocol/ledger-export.ts';
import { type UsageBucket, usageBuckets } from './usage.ts';

export interface ExportColumn {
  name: string;
  type: ColumnType;
  nullable: boolean;
  description: string;
}

/** How the formats write each type. */
const WRITTEN = {
  string: {
    csv: 'text; with an apostrophe before what a spreadsheet would run as a formula',
    jsonl: 'string',
    parquet: 'BYTE_ARRAY (STRING)',
  },
  int64: { csv: 'integer', jsonl: 'integer, beyond 2^53 too', parquet: 'INT64' },
  boolean: { csv: 'true or false', jsonl: 'boolean', parquet: 'BOOLEAN' },
  timestamp: { csv: 'Unix seconds', jsonl: 'Unix seconds', parquet: 'INT64 (TIMESTAMP, milliseconds, UTC)' },
  decimal: { csv: 'exact decimal', jsonl: 'string, an exact decimal', parquet: 'INT64 (DECIMAL(18,9))' },
  json: { csv: 'JSON text', jsonl: 'object', parquet: 'BYTE_ARRAY (JSON)' },
} as const satisfies Record<ColumnType, object>;

type Described = readonly [type: ColumnType, description: string, nullable?: 'nullable'];

const usd = 'The same in USD.';

const ENTRY: Record<keyof LedgerEntryObject, Described> = {
  id: ['string', 'The entry.'],
  object: ['string', 'Always ledger.entry.'],
  created_at: ['timestamp', 'When the attempt was entered.'],
  batch_id: ['string', 'Null for a synchronous call.', 'nullable'],
  custom_id: ['string', 'The client’s name of the request.', 'nullable'],
  line: ['int64', 'Line of the input file, from 1.', 'nullable'],
  attempt: ['int64', 'Counts the attempts of a line; below zero for reversals and corrections.'],
  mode: ['string', 'immediate, batch or sync.'],
  provider: ['string', 'Name in the config.'],
  target: ['string', 'Provider and model that were asked.'],
  model: ['string', 'Model that was asked.'],
  served_model: ['string', 'Model that the answer names.', 'nullable'],
  status: ['string', 'succeeded, failed, unknown (no answer: may have been billed) or superseded.'],
  status_code: ['int64', 'HTTP status of the answer.', 'nullable'],
  error_code: ['string', 'What the provider, or the network, called the failure.', 'nullable'],
  key_id: ['string', 'The API key of whoever asked.', 'nullable'],
  tags: ['json', 'Metadata of the batch.'],
  usage: ['json', 'What was used, in buckets that do not overlap.', 'nullable'],
  raw_usage: ['json', 'What the provider reported, untouched.', 'nullable'],
  rates: ['json', 'The rates in nano-USD per million, and where they come from.', 'nullable'],
  price_version: ['string', 'Version of the price list.', 'nullable'],
  amount_nano_usd: ['int64', 'Cost in 10^-9 USD; null without a price, never 0.', 'nullable'],
  amount_usd: ['decimal', usd, 'nullable'],
  list_amount_nano_usd: ['int64', 'What it would have cost in real time, in 10^-9 USD.', 'nullable'],
  list_amount_usd: ['decimal', usd, 'nullable'],
  estimated: ['boolean', 'True where the tokens or the cost are a share or an estimate.'],
  unpriced_reason: ['string', 'Why there is no amount.', 'nullable'],
  kind: ['string', 'attempt, reversal or correction.'],
  adjusts: ['string', 'The entry that a reversal or correction is about.', 'nullable'],
  note: ['string', 'Why it was adjusted.', 'nullable'],
};

const FIGURES: Record<keyof LedgerFigures, Described> = {
  entries: ['int64', 'Attempts, less reversals.'],
  requests: ['int64', 'Attempts that decided their request.'],
  input_tokens: ['int64', 'All input, cached and written included.'],
  cached_input_tokens: ['int64', 'Of these, read from a cache.'],
  output_tokens: ['int64', 'All output, reasoning included.'],
  amount_nano_usd: ['int64', 'Cost in 10^-9 USD of the entries that have a price.'],
  amount_usd: ['decimal', usd],
  list_amount_nano_usd: ['int64', 'What they would have cost in real time, in 10^-9 USD.'],
  list_amount_usd: ['decimal', usd],
  unpriced_entries: ['int64', 'Entries without a price; in no sum.'],
  savings_nano_usd: ['int64', 'List amount less amount of the entries that have both, in 10^-9 USD.'],
  savings_usd: ['decimal', usd],
  gpu_microseconds: ['int64', 'Time on pools that are paid by the hour.'],
};

function columnsOf(described: Readonly<Record<string, Described>>): ExportColumn[] {
  return Object.entries(described).map(([name, [type, description, nullable]]) => ({
    name,
    type,
    nullable: nullable !== undefined,
    description,
  }));
}

/** The column that an entry's bucket of usage has for itself in CSV and Parquet. */
export const usageColumn = (bucket: UsageBucket): `usage_${UsageBucket}` => `usage_${bucket}`;

/** Columns of exported entries, in order. In CSV and Parquet the buckets of `usage` are columns of their own too. */
export const entryColumns: readonly ExportColumn[] = [
  ...columnsOf(ENTRY),
  ...usageBuckets.map((bucket) => ({
    name: usageColumn(bucket),
    type: 'int64' as const,
    nullable: true,
    description: `usage.${bucket} in JSONL; in a reversal below zero, so that columns add up.`,
  })),
];

/** Columns of exported sums: the groups that were asked for, then the figures. */
export function summaryColumns(groups: readonly string[]): ExportColumn[] {
  const columns = groups.map((name) => {
    const type: ColumnType = name === 'hour' || name === 'day' ? 'timestamp' : 'string';
    const start = type === 'timestamp' ? `Start of the ${name} (UTC).` : 'Where the sums are grouped by it.';
    return { name, type, nullable: type === 'string', description: start };
  });
  return [...columns, ...columnsOf(FIGURES)];
}

/** Body of GET /v1/ledger/export-schema. */
export function exportSchema(): ExportSchema {
  const table = (path: string, columns: readonly ExportColumn[]) => ({
    object: 'export.table' as const,
    path,
    columns: columns.map((column) => ({ ...column, ...WRITTEN[column.type] })),
  });
  return {
    object: 'list',
    data: [table('/v1/ledger/entries', entryColumns), table('/v1/ledger/summary', summaryColumns(LEDGER_GROUPS))],
  };
}
