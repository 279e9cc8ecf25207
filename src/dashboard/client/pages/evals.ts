import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { EvalObject } from '../../../protocol/eval.ts';
import type { Page } from '../../../protocol/page.ts';
import { withQuery } from '../api.ts';
import { html } from '../html.ts';
import { When } from '../parts/figures.ts';
import { Pager } from '../parts/pager.ts';
import { Answer, Empty } from '../parts/states.ts';
import { type Column, Table } from '../parts/table.ts';
import { useQuery } from '../query.ts';
import { hrefOf } from '../router.ts';

const PAGE_ROWS = 25;
const REFRESH_MS = 30_000;

const COLUMNS: Column<EvalObject>[] = [
  {
    name: 'Eval',
    kind: 'lead',
    cell: ({ id, name }) => html`<a class="cell-main" href=${hrefOf(`/evals/${id}`)} title=${id}>${name}</a>`,
  },
  {
    name: 'Graded by',
    kind: 'wide',
    cell: ({ testing_criteria }) => testing_criteria.map(({ name }) => name).join(', '),
  },
  { name: 'Created', kind: 'number', cell: ({ created_at }) => html`<${When} at=${created_at} />` },
];

/** Every eval, page by page. */
export function Evals(): VNode {
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const path = withQuery('/v1/evals', { limit: PAGE_ROWS, order: 'desc', after: cursors.at(-1) });
  const list = useQuery<Page<EvalObject>>(path, { everyMs: REFRESH_MS });
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">Evals</h1></div>
    <${Answer} query=${list} what="evals" lines=${6}>${(page: Page<EvalObject>) =>
      page.data.length === 0
        ? html`<${None} />`
        : html`<${Table} caption="Evals" columns=${COLUMNS} rows=${page.data} rowKey=${({ id }: EvalObject) => id}
            href=${({ id }: EvalObject) => `/evals/${id}`} />
          <${Pager} hasMore=${page.has_more} page=${cursors.length}
            onNext=${() => setCursors([...cursors, page.last_id ?? ''])} onPrevious=${() => setCursors(cursors.slice(0, -1))} />`}</${Answer}>
  </div>`;
}

function None(): VNode {
  return html`<${Empty} title="No evals yet"><p>Compare models on your own items, from a terminal or with <code>client.evals</code> of the OpenAI SDK:</p>
    <pre>npx weir eval run items.jsonl --targets first-model,second-model --grader numeric</pre></${Empty}>`;
}
