import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { totalInput, totalOutput } from '../../../../core/usage.ts';
import type { LedgerEntryObject } from '../../../../protocol/ledger.ts';
import type { Page } from '../../../../protocol/page.ts';
import { withQuery } from '../../api.ts';
import { formatCount } from '../../format.ts';
import { html } from '../../html.ts';
import { StatusBadge } from '../../parts/badge.ts';
import { Dialog } from '../../parts/dialog.ts';
import { Money, When } from '../../parts/figures.ts';
import { Pager } from '../../parts/pager.ts';
import { Answer, Empty } from '../../parts/states.ts';
import { type Column, Table } from '../../parts/table.ts';
import { useQuery } from '../../query.ts';
import { hrefOf } from '../../router.ts';

const PAGE_ROWS = 50;

/** Single entries, newest first. */
export function Entries({ filter }: { filter: Record<string, string | number | null> }): VNode {
  const view = JSON.stringify(filter);
  const [{ cursors, of }, setCursors] = useState<{ cursors: string[]; of: string }>({ cursors: [], of: view });
  const [shown, setShown] = useState<LedgerEntryObject | null>(null);
  const pages = of === view ? cursors : [];
  const list = useQuery<Page<LedgerEntryObject>>(
    withQuery('/v1/ledger/entries', { ...filter, limit: PAGE_ROWS, after: pages.at(-1) }),
  );
  const columns: Column<LedgerEntryObject>[] = [
    {
      name: 'Request',
      kind: 'lead',
      cell: (
        entry,
      ) => html`<button type="button" class="text-button mono" onClick=${() => setShown(entry)}>${entry.custom_id ?? entry.id}</button>
        ${entry.batch_id ? html`<div class="cell-sub"><a href=${hrefOf(`/batches/${entry.batch_id}`)}>${entry.batch_id}</a></div>` : null}`,
    },
    {
      name: 'Result',
      cell: (entry) =>
        html`<${StatusBadge} status=${entry.status} />${entry.attempt > 1 ? html`<div class="cell-sub">attempt ${entry.attempt}</div>` : null}`,
    },
    { name: 'Target', cell: (entry) => html`${entry.target}<div class="cell-sub">${entry.mode}</div>` },
    {
      name: 'Tokens in',
      kind: 'number',
      cell: ({ usage }) => (usage ? formatCount(totalInput(usage)) : html`<span class="faint">–</span>`),
    },
    {
      name: 'Tokens out',
      kind: 'number',
      cell: ({ usage }) => (usage ? formatCount(totalOutput(usage)) : html`<span class="faint">–</span>`),
    },
    {
      name: 'Amount',
      kind: 'number',
      cell: (entry) =>
        html`<${Money} nano=${entry.amount_nano_usd} usd=${entry.amount_usd} />${entry.estimated ? html`<div class="cell-sub">estimated</div>` : null}`,
    },
    { name: 'At', kind: 'number', cell: (entry) => html`<${When} at=${entry.created_at} />` },
  ];
  return html`<${Answer} query=${list} what="entries" lines=${8}>${(page: Page<LedgerEntryObject>) =>
    page.data.length === 0
      ? html`<${Empty} title="No entries"><p>Nothing matches these filters in this period.</p></${Empty}>`
      : html`<${Table} caption="Ledger entries" columns=${columns} rows=${page.data} rowKey=${(entry: LedgerEntryObject) => entry.id} onRow=${setShown} />
        <${Pager} hasMore=${page.has_more} page=${pages.length} onNext=${() => setCursors({ cursors: [...pages, page.last_id ?? ''], of: view })}
          onPrevious=${() => setCursors({ cursors: pages.slice(0, -1), of: view })} />`}</${Answer}>
    ${shown ? html`<${EntryDialog} entry=${shown} onClose=${() => setShown(null)} />` : null}`;
}

/** Why an entry costs what it costs: usage, the rates used and where they come from. */
function EntryDialog({ entry, onClose }: { entry: LedgerEntryObject; onClose: () => void }): VNode {
  return html`<${Dialog} title="Ledger entry" onClose=${onClose}>
    <dl class="pairs small">
      <dt>Amount</dt><dd><${Money} nano=${entry.amount_nano_usd} usd=${entry.amount_usd} />${entry.amount_usd ? html` <span class="faint">exactly $${entry.amount_usd}</span>` : null}</dd>
      <dt>At list price</dt><dd><${Money} nano=${entry.list_amount_nano_usd} usd=${entry.list_amount_usd} /></dd>
      ${entry.unpriced_reason ? html`<dt>Unpriced</dt><dd class="warn-text">${entry.unpriced_reason}</dd>` : null}
      <dt>Price</dt><dd>${entry.price_version ?? '–'}</dd>
      <dt>Target</dt><dd>${entry.target} (${entry.mode})</dd>
      <dt>Served by</dt><dd>${entry.served_model ?? '–'}</dd>
      <dt>Key</dt><dd>${entry.key_id ?? 'operator'}</dd>
      ${entry.error_code ? html`<dt>Error</dt><dd class="bad-text">${entry.error_code}</dd>` : null}
      ${Object.entries(entry.tags).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
    </dl>
    <h3>Usage</h3><pre class="code" tabindex="0">${JSON.stringify(entry.usage, null, 2)}</pre>
    <h3>Rates</h3><pre class="code" tabindex="0">${JSON.stringify(entry.rates, null, 2)}</pre>
  </${Dialog}>`;
}
