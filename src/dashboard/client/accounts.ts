import type { LedgerFigures } from '../../protocol/ledger.ts';
import type { Series } from './parts/stack-chart.ts';
import type { Period } from './period.ts';

/** A row of `/v1/ledger/summary`: the groups asked for beside the figures. */
export type SummaryRow = LedgerFigures & Record<string, string | number | null>;

export interface LedgerSummary {
  data: SummaryRow[];
  total: LedgerFigures;
}

export type Measure = 'amount_nano_usd' | 'requests' | 'tokens' | 'saved';

/** What a row counts for in a chart. */
export function measureOf(figures: LedgerFigures, measure: Measure): number {
  if (measure === 'tokens') return figures.input_tokens + figures.output_tokens;
  if (measure === 'saved') return savedNano(figures);
  return figures[measure];
}

/** What the same work would have cost more in real time at list prices. */
export function savedNano(figures: Pick<LedgerFigures, 'amount_nano_usd' | 'list_amount_nano_usd'>): number {
  return figures.list_amount_nano_usd - figures.amount_nano_usd;
}

/** Exact difference of two decimal strings of USD with at most nine decimals. */
export function savedUsd(figures: Pick<LedgerFigures, 'amount_usd' | 'list_amount_usd'>): string {
  const nano = toNano(figures.list_amount_usd) - toNano(figures.amount_usd);
  const digits = (nano < 0n ? -nano : nano).toString().padStart(10, '0');
  const fraction = digits.slice(-9).replace(/0+$/, '');
  return `${nano < 0n ? '-' : ''}${digits.slice(0, -9)}${fraction && `.${fraction}`}`;
}

function toNano(usd: string): bigint {
  const [whole = '0', fraction = ''] = usd.replace('-', '').split('.');
  const nano = BigInt(whole + fraction.padEnd(9, '0'));
  return usd.startsWith('-') ? -nano : nano;
}

const NAMED_SERIES = 6;
const REST = 'Others';

export function nameOf(value: string | number | null | undefined): string {
  return value === null || value === undefined || value === '' ? '(none)' : String(value);
}

/** Rows by the measure, the largest first. */
export function ranked(rows: readonly SummaryRow[], measure: Measure): SummaryRow[] {
  return rows.toSorted((a, b) => measureOf(b, measure) - measureOf(a, measure));
}

/** Each group's colour by its rank: six have their own, the others share one. */
export function fillsOf(rows: readonly SummaryRow[], group: string): Map<string, string> {
  return new Map(rows.map((row, index) => [nameOf(row[group]), index < NAMED_SERIES ? String(index + 1) : 'rest']));
}

/** Rows by time and group as stacked series. */
export function toSeries(
  rows: readonly SummaryRow[],
  group: string,
  measure: Measure,
  period: Period,
  fills: ReadonlyMap<string, string>,
): Series[] {
  const place = new Map(period.starts.map((start, index) => [start, index]));
  const series = new Map<string, { fill: string; values: number[] }>();
  for (const [name, fill] of fills) {
    const shown = fill === 'rest' ? REST : name;
    if (!series.has(shown)) series.set(shown, { fill, values: period.starts.map(() => 0) });
  }
  for (const row of rows) {
    const name = nameOf(row[group]);
    const { values } = series.get(fills.get(name) === 'rest' ? REST : name) ?? {};
    const slot = place.get(Number(row[period.unit]));
    if (values && slot !== undefined) values[slot] = (values[slot] ?? 0) + measureOf(row, measure);
  }
  return [...series].map(([name, { fill, values }]) => ({ name, fill, values }));
}
