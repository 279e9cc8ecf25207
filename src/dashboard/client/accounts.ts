import type { LedgerFigures } from '../../protocol/ledger.ts';
import type { Series } from './parts/stack-chart.ts';
import type { Period } from './period.ts';

/** A row of `/v1/ledger/summary`: the groups asked for beside the figures. */
export type SummaryRow = LedgerFigures & Record<string, string | number | null>;

export interface LedgerSummary {
  data: SummaryRow[];
  total: LedgerFigures;
}

export type Measure = 'amount_nano_usd' | 'requests' | 'tokens' | 'savings_nano_usd';

/** What a row counts for in a chart. */
export function measureOf(figures: LedgerFigures, measure: Measure): number {
  if (measure === 'tokens') return figures.input_tokens + figures.output_tokens;
  return figures[measure];
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
