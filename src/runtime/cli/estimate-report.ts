import type { Estimate, EstimateCost, EstimateShare } from '../../protocol/estimate.ts';
import { alignUsd, formatCount, formatTime, plural } from './figures.ts';
import { printable, wrap } from './printable.ts';
import { type Column, layPairs, layTable, type TableOptions } from './table.ts';

const LINES_SHOWN = 5;
const ERRORS_SHOWN = 20;
const NO_TARGET = '(no target)';

const COLUMNS: readonly Column[] = [
  { header: 'TARGET', least: 12 },
  { header: 'MODE' },
  { header: 'LINES', align: 'right' },
  { header: 'REFUSED', align: 'right' },
  { header: 'TOKENS IN', align: 'right' },
  { header: 'ABOUT USD', align: 'right' },
];

/** An estimate for people: the split with its total, the range, and what targets refuse or change. */
export function layEstimate(estimate: Estimate, options: TableOptions): string {
  const sections =
    estimate.errors === null
      ? [
          laySplit(estimate, options),
          layRange(estimate, options),
          layPlans(estimate, options),
          ...estimate.split.map((share) => layShare(share, options)),
        ]
      : [layErrors(estimate.errors.data, options)];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function laySplit({ split, total }: Estimate, options: TableOptions): string[] {
  const all = [...split, { ...total, target: 'total', mode: null }];
  const known = all.map(({ cost }) => cost.expected_nano_usd);
  const amounts = alignUsd(known.map((amount) => amount ?? 0));
  const rows = all.map((share, index) => [
    share.target ?? NO_TARGET,
    share.mode ?? '',
    formatCount(share.requests),
    formatCount(share.refused_count),
    formatCount(share.input_tokens),
    known[index] === null ? 'unpriced' : `${amounts[index]}${share.unpriced_reason === null ? '' : '*'}`,
  ]);
  const lines = layTable(COLUMNS, rows, { ...options, hasTotal: true });
  const reason = total.unpriced_reason;
  return reason === null ? lines : [...lines, ...wrap(`* not all is priced: ${printable(reason)}`, options.width)];
}

function layRange(
  { total, method, split, sampled, requests, expected_finish_at: finish }: Estimate,
  options: TableOptions,
) {
  const { low, expected, high } = total.output_tokens;
  const pairs: [string, string][] = [
    ['Cost', rangeOf(total.cost, '')],
    ['At list prices', rangeOf(total.cost, 'list_')],
    ['Tokens out', `${formatCount(low)} to ${formatCount(high)}, about ${formatCount(expected)}`],
    ['Done by', finish === null ? 'not known: no provider has limits in the config' : formatTime(finish)],
    ['Method', `${method} for tokens in, ${outputMethod(split)} for tokens out`],
  ];
  if (sampled !== null) pairs.push(['Sample', `${formatCount(sampled)} of ${plural(requests, 'line')}`]);
  return layPairs(pairs, options);
}

const OPTION_COLUMNS: readonly Column[] = [
  { header: 'ALL LINES AT', least: 12 },
  { header: 'MODE' },
  { header: 'LINES', align: 'right' },
  { header: 'ABOUT USD', align: 'right' },
  { header: 'WHY', least: 16 },
];

/** The cheapest plan within the window, with what each target would be alone; nothing where there is no choice. */
function layPlans({ plans }: Estimate, options: TableOptions): string[] {
  if (plans === null || (plans.options.length < 2 && plans.cheapest !== null)) return [];
  const amounts = alignUsd(plans.options.map(({ expected_nano_usd: nano }) => nano ?? 0));
  const rows = plans.options.map((option, index) => [
    option.target,
    option.mode,
    formatCount(option.requests),
    option.expected_nano_usd === null ? 'unpriced' : (amounts[index] ?? ''),
    option.verdict === 'chosen' ? `cheapest: ${option.reason}` : option.reason,
  ]);
  return [...layTable(OPTION_COLUMNS, rows, options), ...wrap(printable(planText(plans)), options.width)];
}

function planText({ cheapest, reason }: NonNullable<Estimate['plans']>): string {
  if (cheapest === null) return reason;
  const saves = cheapest.saves_nano_usd !== null && cheapest.saves_nano_usd > 0 ? `, $${cheapest.saves_usd} less` : '';
  return `Cheapest within the window: about $${cheapest.expected_usd}${saves}. ${reason}`;
}

function outputMethod(split: readonly EstimateShare[]): string {
  const bases = new Set(split.map(({ output_basis: basis }) => basis));
  const words = { history: 'past answers', limits: '25 to 100 % of each limit' };
  return (
    (['history', 'limits'] as const)
      .filter((basis) => bases.has(basis))
      .map((basis) => words[basis])
      .join(', ') || 'limits'
  );
}

function rangeOf(cost: EstimateCost, prefix: '' | 'list_'): string {
  const low = cost[`${prefix}low_usd`];
  const high = cost[`${prefix}high_usd`];
  if (low === null || high === null) return 'unpriced';
  return `$${low} to $${high}, about $${cost[`${prefix}expected_usd`] ?? '?'}`;
}

/** What is wrong with lines for one target; nothing when all is well. */
function layShare(share: EstimateShare, options: TableOptions): string[] {
  const shown = share.lines_refused.slice(0, LINES_SHOWN).map(({ line, custom_id, param, message }) => {
    const text = param === null ? message : `${param}: ${message}`;
    return `line ${line} (${custom_id}): ${text}`;
  });
  const hidden = share.refused_count - shown.length;
  if (hidden > 0) shown.push(`and ${plural(hidden, 'more line')}`);
  const changed = share.warnings
    .slice(0, LINES_SHOWN)
    .map(({ message, count }) => `${plural(count, 'line')}: ${message}`);
  if (share.warnings.length > changed.length) changed.push('and other changes');
  const { paint } = options;
  const target = printable(share.target ?? NO_TARGET);
  return [
    ...(shown.length === 0 ? [] : [paint.bad(oneLine(`Refused by ${target}`, options)), ...indent(shown, options)]),
    ...(changed.length === 0
      ? []
      : [paint.warn(oneLine(`Changed for ${target}`, options)), ...indent(changed, options)]),
  ];
}

function layErrors(errors: NonNullable<Estimate['errors']>['data'], options: TableOptions): string[] {
  const shown = errors
    .slice(0, ERRORS_SHOWN)
    .map(({ line, message }) => `${line === null ? 'file' : `line ${line}`}: ${message}`);
  const hidden = errors.length - shown.length;
  if (hidden > 0) shown.push(`and ${plural(hidden, 'more error')}`);
  return [options.paint.bad('The batch would fail: nothing would be sent'), ...indent(shown, options)];
}

function oneLine(text: string, { width }: TableOptions): string {
  return wrap(text, width)[0] ?? '';
}

function indent(texts: readonly string[], { width }: TableOptions): string[] {
  return texts.flatMap((text) =>
    wrap(printable(text), width - 4).map((line, index) => `${index === 0 ? '  ' : '    '}${line}`),
  );
}
