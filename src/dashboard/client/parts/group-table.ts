import type { VNode } from 'preact';
import type { LedgerFigures } from '../../../protocol/ledger.ts';
import { nameOf, type SummaryRow } from '../accounts.ts';
import { percent, shortTime } from '../format.ts';
import { html } from '../html.ts';
import { hrefOf } from '../router.ts';
import { Count, Money } from './figures.ts';
import { type Column, Table } from './table.ts';

/** An account by one group, with each one's share of the spend. */
export function GroupTable({
  rows,
  total,
  group,
  fills,
}: {
  rows: readonly SummaryRow[];
  total: LedgerFigures;
  group: string;
  /** Null: without colours. */
  fills: ReadonlyMap<string, string> | null;
}): VNode {
  const shareOf = (row: SummaryRow) => (total.amount_nano_usd === 0 ? 0 : row.amount_nano_usd / total.amount_nano_usd);
  const columns: Column<SummaryRow>[] = [
    {
      name: group,
      kind: 'lead',
      cell: (row) =>
        html`<span class="cell-main">${fills ? html`<i class=${`swatch fill-${fills.get(nameOf(row[group])) ?? 'rest'}`}></i>` : null}${labelOf(row[group], group)}</span>`,
    },
    {
      name: 'Share',
      kind: 'wide',
      cell: (row) =>
        html`<span class="share"><span>${percent(shareOf(row))}</span><i style=${{ width: `${shareOf(row) * 100}%` }}></i></span>`,
    },
    {
      name: 'Spend',
      kind: 'number',
      cell: (row) =>
        html`<${Money} nano=${row.amount_nano_usd} usd=${row.amount_usd} unpriced=${row.unpriced_entries} />`,
    },
    {
      name: 'Saved',
      kind: 'number',
      cell: (row) =>
        html`<${Money} nano=${row.savings_nano_usd} usd=${row.savings_usd} unpriced=${row.list_amount_nano_usd === 0 ? row.unpriced_entries : 0} />`,
    },
    { name: 'Requests', kind: 'number', cell: (row) => html`<${Count} value=${row.requests} />` },
    { name: 'Tokens in', kind: 'number', cell: (row) => html`<${Count} value=${row.input_tokens} />` },
    { name: 'Tokens out', kind: 'number', cell: (row) => html`<${Count} value=${row.output_tokens} />` },
    {
      name: 'Unpriced',
      kind: 'number',
      cell: (row) =>
        row.unpriced_entries === 0
          ? html`<span class="faint">0</span>`
          : html`<span class="warn-text"><${Count} value=${row.unpriced_entries} /></span>`,
    },
  ];
  return html`<${Table} caption=${`Account by ${group}`} columns=${columns} rows=${rows} rowKey=${(row: SummaryRow) => nameOf(row[group])} />`;
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeZone: 'UTC' });

/** A group's value for people: times as times, batches as links. */
function labelOf(value: string | number | null | undefined, group: string): unknown {
  if (group === 'day' && typeof value === 'number') return day.format(value * 1000);
  if (group === 'hour' && typeof value === 'number') return shortTime(value);
  if (group === 'batch' && typeof value === 'string') return html`<a href=${hrefOf(`/batches/${value}`)}>${value}</a>`;
  return nameOf(value);
}
