import type { VNode } from 'preact';
import type { BatchObject, BatchShard } from '../../../../protocol/batch.ts';
import { formatCount } from '../../format.ts';
import { html } from '../../html.ts';
import { Copy } from '../../parts/controls.ts';
import { Money, When } from '../../parts/figures.ts';
import { type Column, Table } from '../../parts/table.ts';

const COLUMNS: Column<BatchShard>[] = [
  {
    name: 'Provider batch',
    kind: 'lead',
    cell: (shard) => html`<div class="cell-main">${shard.provider}</div><div class="cell-sub">${shard.model}</div>
      ${shard.provider_batch_id ? html`<div class="cell-sub mono">${shard.provider_batch_id}<${Copy} text=${shard.provider_batch_id} what="the provider’s id" /></div>` : null}`,
  },
  {
    name: 'State',
    cell: (
      shard,
    ) => html`<div>${shard.state}${shard.provider_status ? html` <span class="faint">(${shard.provider_status})</span>` : null}</div>
      ${shard.error ? html`<div class="cell-sub bad-text">${shard.error.code}: ${shard.error.message}</div>` : null}`,
  },
  {
    name: 'Done',
    kind: 'number',
    cell: ({ request_counts: { total, completed, failed } }) =>
      html`${completed === null ? '–' : formatCount(completed)} of ${formatCount(total)}${failed ? html`, <span class="bad-text">${formatCount(failed)} failed</span>` : null}`,
  },
  { name: 'Submitted', kind: 'number', cell: (shard) => html`<${When} at=${shard.submitted_at} />` },
  { name: 'Ended', kind: 'number', cell: (shard) => html`<${When} at=${shard.ended_at} />` },
  { name: 'Next look', kind: 'number', cell: (shard) => html`<${When} at=${shard.next_at} />` },
  {
    name: 'Cost',
    kind: 'number',
    cell: (shard) =>
      html`<${Money} nano=${shard.amount_nano_usd} usd=${shard.amount_usd} unpriced=${shard.unpriced_entries} />`,
  },
];

/** The provider batches that run parts of the batch, where there are any. */
export function Shards({ batch }: { batch: BatchObject }): VNode | null {
  const shards = batch.shards ?? [];
  if (shards.length === 0) return null;
  return html`<section class="section" aria-labelledby="shards"><h2 id="shards">Provider batches</h2>
    <${Table} caption="Provider batches" columns=${COLUMNS} rows=${shards} rowKey=${(shard: BatchShard) => shard.id} /></section>`;
}
