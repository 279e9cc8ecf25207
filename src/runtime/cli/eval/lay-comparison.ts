import { pointsText, probabilityText } from '../../../core/eval/figure-text.ts';
import type { EvalComparison, EvalInterval, EvalPair, EvalTargetFigures } from '../../../protocol/eval-comparison.ts';
import { formatCount, plural } from '../figures.ts';
import { cut, printable, wrap } from '../printable.ts';
import { type Column, layTable, type TableOptions } from '../table.ts';
import { COLUMNS } from '../terminal.ts';

const COLUMNS_SHOWN: readonly Column[] = [
  { header: 'TARGET', least: 8 },
  { header: 'PASS', align: 'right' },
  { header: '95 %', align: 'right' },
  { header: 'SCORE', align: 'right' },
  { header: 'VALID', align: 'right' },
  { header: 'P50', align: 'right' },
  { header: 'USD/ITEM', align: 'right' },
  { header: 'USD/PASS', align: 'right' },
];
const PAIRS_SHOWN = 10;

/** A comparison for people: the targets, what sets them apart in pairs, the frontier, and what is left out. */
export function layComparison(comparison: EvalComparison, options: TableOptions): string {
  const { paint } = options;
  const width = Math.max(options.width, COLUMNS);
  const head = `${plural(comparison.items, 'item')}, ${plural(comparison.targets.length, 'target')}`;
  const table = layTable(COLUMNS_SHOWN, comparison.targets.map(rowOf), { ...options, width });
  const failed = comparison.failed_targets.flatMap(({ target, message }) =>
    wrap(printable(`${target} failed: ${message}`), width).map((line) => paint.bad(line)),
  );
  return [
    head,
    '',
    ...table,
    ...failed,
    ...notes(comparison).flatMap((text) => wrap(printable(text), width)),
    ...layPairs(comparison, width),
  ].join('\n');
}

function rowOf(figures: EvalTargetFigures): string[] {
  const { pass_rate, score, valid_rate, latency_ms, cost } = figures;
  return [
    `${figures.on_frontier ? '* ' : '  '}${figures.target}`,
    percent(pass_rate.value),
    interval(pass_rate),
    score.value === null ? '–' : score.value.toFixed(3),
    percent(valid_rate, 0),
    latency_ms.p50 === null ? '–' : `${formatCount(Math.round(latency_ms.p50))} ms`,
    cost.per_item_usd ?? 'unknown',
    cost.per_accepted_usd ?? 'unknown',
  ];
}

function notes({ targets, frontier, differing, items_left_out, status }: EvalComparison): string[] {
  const rates: [string, (figures: EvalTargetFigures) => number | null][] = [
    ['truncated', ({ truncation_rate }) => truncation_rate],
    ['refused', ({ refusal_rate }) => refusal_rate],
    ['without an answer', ({ error_rate }) => error_rate],
    ['not to be graded', ({ items, graded }) => (items === 0 ? 0 : (items - graded) / items)],
  ];
  const trouble = targets.flatMap((figures) => {
    const found = rates.flatMap(([word, of]) => ((of(figures) ?? 0) > 0 ? [`${percent(of(figures))} ${word}`] : []));
    return found.length === 0 ? [] : [`${figures.target}: ${found.join(', ')}`];
  });
  const unknown = targets.flatMap(({ target, cost }) =>
    cost.reason === null ? [] : [`${target}: cost unknown. ${cost.reason}`],
  );
  return [
    ...(status === 'completed' ? [] : [`The run is ${status}: these are the items graded so far.`]),
    ...(frontier.length === 0 || targets.length < 2 ? [] : ['* nobody else is as good and as cheap']),
    ...trouble,
    ...unknown,
    ...(items_left_out === 0 ? [] : [`${plural(items_left_out, 'item')} beyond those are left out.`]),
    ...(targets.length < 2 ? [] : [`They differ on ${plural(differing.count, 'item')}.`]),
  ];
}

function layPairs({ pairs }: EvalComparison, width: number): string[] {
  if (pairs.length === 0) return [];
  const lines = pairs.slice(0, PAIRS_SHOWN).map((pair) => cut(printable(sayPair(pair)), width));
  const rest = pairs.length - lines.length;
  return ['', ...lines, ...(rest === 0 ? [] : [`and ${rest} more pairs: --json shows all`])];
}

function sayPair({ a, b, pass_rate_difference: { value, low, high }, p_value, agreement }: EvalPair): string {
  const range = low === null || high === null ? '' : ` (${pointsText(low)} to ${pointsText(high)})`;
  const facts = [
    `${pointsText(value)} points${range}`,
    ...(p_value === null ? [] : [`p ${probabilityText(p_value)}`]),
    ...(agreement === null ? [] : [`agree ${percent(agreement, 0)}`]),
  ];
  return `${cut(a, 14)} – ${cut(b, 14)}: ${facts.join(', ')}`;
}

export function percent(value: number | null, decimals = 1): string {
  return value === null ? '–' : `${(value * 100).toFixed(decimals)} %`;
}

function interval({ low, high }: EvalInterval): string {
  return low === null || high === null ? '' : `${(low * 100).toFixed(0)}–${(high * 100).toFixed(0)} %`;
}
