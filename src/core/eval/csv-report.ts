import type { EvalComparison, EvalTargetFigures } from '../../protocol/eval-comparison.ts';
import { csvLine } from '../csv.ts';

const COLUMNS: readonly [name: string, of: (figures: EvalTargetFigures) => unknown][] = [
  ['target', (figures) => figures.target],
  ['items', (figures) => figures.items],
  ['answered', (figures) => figures.answered],
  ['graded', (figures) => figures.graded],
  ['passed', (figures) => figures.passed],
  ['pass_rate', (figures) => figures.pass_rate.value],
  ['pass_rate_low', (figures) => figures.pass_rate.low],
  ['pass_rate_high', (figures) => figures.pass_rate.high],
  ['score', (figures) => figures.score.value],
  ['score_low', (figures) => figures.score.low],
  ['score_high', (figures) => figures.score.high],
  ['valid_rate', (figures) => figures.valid_rate],
  ['truncation_rate', (figures) => figures.truncation_rate],
  ['refusal_rate', (figures) => figures.refusal_rate],
  ['error_rate', (figures) => figures.error_rate],
  ['latency_p50_ms', (figures) => figures.latency_ms.p50],
  ['latency_p90_ms', (figures) => figures.latency_ms.p90],
  ['input_tokens', (figures) => figures.input_tokens],
  ['output_tokens', (figures) => figures.output_tokens],
  ['cost_usd', (figures) => figures.cost.amount_usd],
  ['cost_per_item_usd', (figures) => figures.cost.per_item_usd],
  ['cost_per_accepted_usd', (figures) => figures.cost.per_accepted_usd],
  ['cost_reason', (figures) => figures.cost.reason],
  ['on_frontier', (figures) => figures.on_frontier],
];

/** A comparison as CSV with a header, one line for each target. An amount that is not known is an empty cell. */
export function csvReport(comparison: Pick<EvalComparison, 'targets'>): string {
  const header = csvLine(COLUMNS.map(([name]) => name));
  const lines = comparison.targets.map((figures) => csvLine(COLUMNS.map(([, of]) => of(figures))));
  return `${[header, ...lines].join('\r\n')}\r\n`;
}
