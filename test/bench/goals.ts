/**
 * How a benchmark says what it found: it calls `report` with its rows, each a figure beside its yardstick of the same
 * run. By itself it prints them; under `npm run bench` they also go to run.ts, over the channel between the two
 * processes, which prints one table of all of them. A new benchmark is one file here and one line in run.ts.
 */
import { printTable } from './table.ts';

export interface GoalRow {
  /** The number of the goal in the table of goals; null for what the table does not name. Rows of one goal stand together. */
  goal: number | null;
  /** What was measured, with its parameters: `immediate, 0 ms, C=256`. */
  what: string;
  /** The yardstick with its unit, measured in the same run: `bare loop 36,959 req/s`. */
  yardstick: string;
  /** The figure with its unit: `0.79 × (29,200 req/s)`. */
  figure: string;
  /** What is wanted: `≥ 0.75 ×`. */
  wanted: string;
  /** Whether it is; null where the row only informs, or could not be measured (`figure` says why). */
  met: boolean | null;
}

/** Prints rows, and hands them to `npm run bench` when that has started this process. */
export function report(rows: readonly GoalRow[]): void {
  printGoals(rows);
  for (const row of rows) process.send?.(row);
}

/** One table of rows, ordered by goal. */
export function printGoals(rows: readonly GoalRow[]): void {
  const ordered = rows.toSorted(
    (a, b) => (a.goal ?? Number.POSITIVE_INFINITY) - (b.goal ?? Number.POSITIVE_INFINITY) || 0,
  );
  printTable(
    ['goal', 'what', 'yardstick', 'figure', 'wanted', ''],
    ordered.map(({ goal, what, yardstick, figure, wanted, met }) => [
      goal === null ? '–' : String(goal),
      what,
      yardstick,
      figure,
      wanted,
      met === null ? '–' : met ? 'met' : 'NOT MET',
    ]),
    ['right', 'left', 'left', 'left', 'left', 'left'],
  );
}

/** A whole number with thousands set apart, or one with the given decimals. */
export function figure(value: number, decimals = 0): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
