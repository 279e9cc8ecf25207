import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { BatchObject } from '../../../../protocol/batch.ts';
import type { BatchRequest } from '../../../../protocol/batch-request.ts';
import type { Page } from '../../../../protocol/page.ts';
import { withQuery } from '../../api.ts';
import { formatCount } from '../../format.ts';
import { html } from '../../html.ts';
import { StatusBadge } from '../../parts/badge.ts';
import { Segments } from '../../parts/controls.ts';
import { Money } from '../../parts/figures.ts';
import { Pager } from '../../parts/pager.ts';
import { Answer } from '../../parts/states.ts';
import { type Column, Table } from '../../parts/table.ts';
import { useQuery } from '../../query.ts';
import { query, setQuery } from '../../router.ts';
import { RequestDialog } from './request-dialog.ts';

const PAGE_ROWS = 20;

const STATES = ['', 'completed', 'failed', 'pending', 'expired', 'cancelled'].map((value) => ({
  value,
  label: value === '' ? 'All' : `${value[0]?.toUpperCase()}${value.slice(1)}`,
}));

/** The requests of the batch in input order, each with its target, attempts and cost. */
export function Requests({
  batch,
  everyMs,
  version,
}: {
  batch: BatchObject;
  everyMs: number | null;
  version: string;
}): VNode {
  const status = query.value.get('requests') ?? '';
  const [{ cursors, of }, setCursors] = useState<{ cursors: string[]; of: string }>({ cursors: [], of: status });
  const [shown, setShown] = useState<string | null>(null);
  const pages = of === status ? cursors : [];
  const path = withQuery(`/v1/batches/${encodeURIComponent(batch.id)}/requests`, {
    status,
    limit: PAGE_ROWS,
    after: pages.at(-1),
  });
  const list = useQuery<Page<BatchRequest>>(path, { everyMs, version });
  const columns: Column<BatchRequest>[] = [
    {
      name: 'Request',
      kind: 'lead',
      cell: (
        row,
      ) => html`<button type="button" class="text-button mono cell-main" onClick=${() => setShown(row.id)}>${row.custom_id}</button>
        <div class="cell-sub">line ${formatCount(row.line)}</div>`,
    },
    {
      name: 'Status',
      cell: (row) =>
        html`<${StatusBadge} status=${row.status} />${row.error ? html`<div class="cell-sub">${row.error.code}</div>` : null}`,
    },
    { name: 'Target', cell: (row) => row.target ?? html`<span class="faint">–</span>` },
    {
      name: 'Attempts',
      kind: 'number',
      cell: (row) => html`<span class=${row.attempts > 1 ? 'warn-text' : ''}>${row.attempts}</span>`,
    },
    { name: 'Tokens in', kind: 'number', cell: (row) => formatCount(row.input_tokens) },
    { name: 'Tokens out', kind: 'number', cell: (row) => formatCount(row.output_tokens) },
    { name: 'Finish', cell: (row) => row.finish_reason ?? html`<span class="faint">–</span>` },
    { name: 'Cost', kind: 'number', cell: (row) => html`<${Money} nano=${row.cost_nano_usd} usd=${row.cost_usd} />` },
  ];
  return html`<section class="section" aria-labelledby="requests">
    <div class="section-head"><h2 id="requests">Requests</h2>
      <${Segments} label="Requests shown" value=${status} choices=${STATES} onChange=${(value: string) => setQuery({ requests: value })} /></div>
    <${Answer} query=${list} what="requests" lines=${6}>${(page: Page<BatchRequest>) =>
      page.data.length === 0
        ? html`<p class="faint">No request has this status.</p>`
        : html`<${Table} caption="Requests" columns=${columns} rows=${page.data} rowKey=${(row: BatchRequest) => row.id} onRow=${(row: BatchRequest) => setShown(row.id)} />
          <${Pager} hasMore=${page.has_more} page=${pages.length}
            onNext=${() => setCursors({ cursors: [...pages, page.last_id ?? ''], of: status })}
            onPrevious=${() => setCursors({ cursors: pages.slice(0, -1), of: status })} />`}</${Answer}>
    ${shown ? html`<${RequestDialog} batchId=${batch.id} requestId=${shown} onClose=${() => setShown(null)} />` : null}
  </section>`;
}
