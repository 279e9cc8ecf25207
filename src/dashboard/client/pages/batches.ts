import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { BatchObject, BatchSort } from '../../../protocol/batch.ts';
import type { Page } from '../../../protocol/page.ts';
import { withQuery } from '../api.ts';
import { formatCount } from '../format.ts';
import { html } from '../html.ts';
import { liveBatches, turnover } from '../live.ts';
import { BatchBadge } from '../parts/badge.ts';
import { batchName } from '../parts/batch-name.ts';
import { Segments, TextFilter } from '../parts/controls.ts';
import { Money, When } from '../parts/figures.ts';
import { Pager } from '../parts/pager.ts';
import { Progress } from '../parts/progress.ts';
import { Answer, Empty } from '../parts/states.ts';
import { type Column, Table } from '../parts/table.ts';
import { useQuery } from '../query.ts';
import { hrefOf, query, setQuery } from '../router.ts';
import { tenantQuery } from '../tenant.ts';

const PAGE_ROWS = 25;
const REFRESH_MS = 30_000;

const STATES = [
  { value: '', label: 'All', statuses: '' },
  { value: 'running', label: 'Running', statuses: 'validating,in_progress,finalizing,cancelling' },
  { value: 'completed', label: 'Completed', statuses: 'completed' },
  { value: 'failed', label: 'Failed', statuses: 'failed' },
  { value: 'expired', label: 'Expired', statuses: 'expired' },
  { value: 'cancelled', label: 'Cancelled', statuses: 'cancelled' },
];

const COLUMNS: Column<BatchObject>[] = [
  {
    name: 'Batch',
    kind: 'lead',
    sort: 'created_at',
    cell: (
      batch,
    ) => html`<a class="cell-main" href=${hrefOf(`/batches/${batch.id}`)} title=${batch.id}>${batchName(batch)}</a>
      <div class="cell-sub">${batch.config ? `${batch.config} · ` : ''}${batch.completion_window}${batch.retry_of ? ' · retry' : ''}</div>`,
  },
  { name: 'Status', cell: (batch) => html`<${BatchBadge} batch=${batch} />` },
  {
    name: 'Progress',
    kind: 'wide',
    cell: (batch) => html`<div class="row-progress"><${Progress} batch=${batch} />
      <span class="cell-sub">${formatCount(batch.request_counts.completed)} of ${formatCount(batch.request_counts.total)}</span></div>`,
  },
  {
    name: 'Failed',
    kind: 'number',
    sort: 'failed',
    cell: ({ request_counts: { failed } }) =>
      html`<span class=${failed > 0 ? 'bad-text' : 'faint'}>${formatCount(failed)}</span>`,
  },
  { name: 'Requests', kind: 'number', sort: 'requests', cell: (batch) => formatCount(batch.request_counts.total) },
  {
    name: 'Cost',
    kind: 'number',
    sort: 'cost',
    cell: ({ cost }) =>
      html`<${Money} nano=${cost.amount_nano_usd} usd=${cost.amount_usd} unpriced=${cost.unpriced_entries} />${
        cost.unpriced_entries > 0
          ? html`<div class="cell-sub warn-text">${formatCount(cost.unpriced_entries)} unpriced</div>`
          : null
      }`,
  },
  { name: 'Created', kind: 'number', cell: (batch) => html`<${When} at=${batch.created_at} />` },
];

/** Every batch: filter, search, sort, page by page. */
export function Batches(): VNode {
  const state = query.value.get('state') ?? '';
  const search = query.value.get('search') ?? '';
  const sort = (query.value.get('sort') ?? 'created_at') as BatchSort;
  const order = query.value.get('order') === 'asc' ? 'asc' : 'desc';
  // Cursors of the pages before this one; changing a filter starts anew.
  const view = [state, search, sort, order].join('\n');
  const [{ cursors, of }, setCursors] = useState<{ cursors: string[]; of: string }>({ cursors: [], of: view });
  const pages = of === view ? cursors : [];
  const statuses = STATES.find(({ value }) => value === state)?.statuses ?? '';
  const path = withQuery('/v1/batches', {
    limit: PAGE_ROWS,
    status: statuses,
    search,
    sort,
    order,
    after: pages.at(-1),
    ...tenantQuery(),
  });
  const list = useQuery<Page<BatchObject>>(path, { everyMs: REFRESH_MS, version: turnover.value });
  const onSort = (by: string) =>
    setQuery({ sort: by === 'created_at' ? null : by, order: by === sort && order === 'desc' ? 'asc' : null });
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">Batches</h1>
      <div class="controls">
        <${TextFilter} label="Search" isLabelHidden value=${search} placeholder="Name, id, route, model, file"
          onChange=${(value: string) => setQuery({ search: value })} />
      </div>
    </div>
    <${Segments} label="State" value=${state} choices=${STATES} onChange=${(value: string) => setQuery({ state: value })} />
    <${Answer} query=${list} what="batches" lines=${8}>${(page: Page<BatchObject>) =>
      page.data.length === 0
        ? html`<${None} isFiltered=${state !== '' || search !== ''} />`
        : html`<${Table} caption="Batches" columns=${COLUMNS} rows=${page.data.map((batch) => liveBatches.value.get(batch.id) ?? batch)}
            rowKey=${(batch: BatchObject) => batch.id} href=${(batch: BatchObject) => `/batches/${batch.id}`}
            sorting=${{ by: sort, order, onChange: onSort }} />
          <${Pager} hasMore=${page.has_more} page=${pages.length}
            onNext=${() => setCursors({ cursors: [...pages, page.last_id ?? ''], of: view })}
            onPrevious=${() => setCursors({ cursors: pages.slice(0, -1), of: view })} />`}</${Answer}>
  </div>`;
}

function None({ isFiltered }: { isFiltered: boolean }): VNode {
  if (isFiltered) {
    return html`<${Empty} title="No batch matches"><p>Nothing has this state and text.</p>
      <button type="button" class="button" onClick=${() => setQuery({ state: null, search: null })}>Show all batches</button></${Empty}>`;
  }
  return html`<${Empty} title="No batches yet"><p>Send a JSONL file with any OpenAI client, or from a terminal:</p>
    <pre>npx weir submit requests.jsonl --window immediate --watch</pre></${Empty}>`;
}
