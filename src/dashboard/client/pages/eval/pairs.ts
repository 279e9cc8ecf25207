import type { VNode } from 'preact';
import { pointsText, probabilityText } from '../../../../core/eval/figure-text.ts';
import type { EvalPair } from '../../../../protocol/eval-comparison.ts';
import { formatCount, percent } from '../../format.ts';
import { html } from '../../html.ts';
import { type Column, Table } from '../../parts/table.ts';

const COLUMNS: Column<EvalPair>[] = [
  {
    name: 'Pair',
    kind: 'lead',
    cell: ({ a, b }) => html`<span class="cell-main">${a} <span class="faint">against</span> ${b}</span>`,
  },
  {
    name: 'Difference',
    kind: 'number',
    cell: ({ pass_rate_difference: { value, low, high } }) => html`${pointsText(value)}
      <div class="cell-sub">${low === null || high === null ? '' : `${pointsText(low)} to ${pointsText(high)}`}</div>`,
  },
  { name: 'Only the first passed', kind: 'number', cell: ({ only_a_passed }) => formatCount(only_a_passed) },
  { name: 'Only the second passed', kind: 'number', cell: ({ only_b_passed }) => formatCount(only_b_passed) },
  { name: 'p', kind: 'number', cell: ({ p_value }) => probabilityText(p_value) },
  {
    name: 'Agreement',
    kind: 'number',
    cell: ({ agreement, kappa }) => html`${agreement === null ? '–' : percent(agreement)}
      <div class="cell-sub">${kappa === null ? '' : `kappa ${kappa.toFixed(2)}`}</div>`,
  },
];

/** What sets targets apart, pair by pair; differences are in points of a hundred. */
export function Pairs({ pairs }: { pairs: readonly EvalPair[] }): VNode {
  return html`<h3>In pairs</h3>
    <${Table} caption="Pairs of targets" columns=${COLUMNS} rows=${pairs} rowKey=${({ a, b }: EvalPair) => `${a}\n${b}`} />`;
}
