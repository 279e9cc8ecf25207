import type { ComponentChildren, VNode } from 'preact';
import type { BatchObject } from '../../../../protocol/batch.ts';
import { percent } from '../../format.ts';
import { html } from '../../html.ts';
import { Count, Money } from '../../parts/figures.ts';
import { hasEnded } from '../../parts/progress.ts';
import { type Column, Table } from '../../parts/table.ts';

interface Row {
  what: string;
  low: ComponentChildren;
  expected: ComponentChildren;
  high: ComponentChildren;
  actual: ComponentChildren;
  /** Actual against expected, as a share; null when there is nothing to compare. */
  off: number | null;
}

/** What the batch was estimated to come to when it started, and what it came to. */
export function EstimateAgainstActual({ batch }: { batch: BatchObject }): VNode | null {
  const { cost, usage } = batch;
  const { estimate } = cost;
  if (estimate == null) return null;
  const ended = hasEnded(batch);
  const offOf = (actual: number, expected: number | null) =>
    !ended || expected === null || expected === 0 ? null : actual / expected - 1;
  const count = (value: number) => html`<${Count} value=${value} />`;
  const input = usage?.input_tokens ?? 0;
  const output = usage?.output_tokens ?? 0;
  const { output_tokens: tokens } = estimate;
  const rows: Row[] = [
    {
      what: 'Cost',
      low: html`<${Money} nano=${estimate.low_nano_usd} usd=${estimate.low_usd} />`,
      expected: html`<${Money} nano=${estimate.expected_nano_usd} usd=${estimate.expected_usd} />`,
      high: html`<${Money} nano=${estimate.high_nano_usd} usd=${estimate.high_usd} />`,
      actual: html`<${Money} nano=${cost.amount_nano_usd} usd=${cost.amount_usd} unpriced=${cost.unpriced_entries} />`,
      off: cost.unpriced_entries > 0 ? null : offOf(cost.amount_nano_usd, estimate.expected_nano_usd),
    },
    {
      what: 'Tokens in',
      low: '',
      expected: count(estimate.input_tokens),
      high: '',
      actual: count(input),
      off: offOf(input, estimate.input_tokens),
    },
    {
      what: 'Tokens out',
      low: count(tokens.low),
      expected: count(tokens.expected),
      high: count(tokens.high),
      actual: count(output),
      off: offOf(output, tokens.expected),
    },
  ];
  return html`<section class="section" aria-labelledby="estimate">
    <div class="section-head"><h2 id="estimate">Estimate against actual</h2><span class="small faint">estimated when it started</span></div>
    <${Table} caption="Estimate against actual" columns=${columnsOf(ended)} rows=${rows} rowKey=${(row: Row) => row.what} />
  </section>`;
}

function columnsOf(ended: boolean): Column<Row>[] {
  return [
    { name: 'What', kind: 'lead', cell: (row) => html`<span class="cell-main">${row.what}</span>` },
    { name: 'Low', kind: 'number', cell: (row) => row.low },
    { name: 'Expected', kind: 'number', cell: (row) => row.expected },
    { name: 'High', kind: 'number', cell: (row) => row.high },
    { name: ended ? 'Actual' : 'So far', kind: 'number', cell: (row) => row.actual },
    {
      name: 'Off by',
      kind: 'number',
      cell: ({ off }) =>
        off === null ? html`<span class="faint">–</span>` : `${off > 0 ? '+' : ''}${percent(off)}`.replace('-', '−'),
    },
  ];
}
