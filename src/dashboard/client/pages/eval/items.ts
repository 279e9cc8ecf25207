import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { labelOfItem } from '../../../../core/eval/item-label.ts';
import type { EvalComparedItem, EvalComparedOutput } from '../../../../protocol/eval-compared-item.ts';
import type { EvalRunObject } from '../../../../protocol/eval-run.ts';
import type { Page } from '../../../../protocol/page.ts';
import { withQuery } from '../../api.ts';
import { exactUsd } from '../../format.ts';
import { html } from '../../html.ts';
import { Badge } from '../../parts/badge.ts';
import { Segments } from '../../parts/controls.ts';
import type { IconName } from '../../parts/icons.ts';
import { Pager } from '../../parts/pager.ts';
import { Answer } from '../../parts/states.ts';
import { useQuery } from '../../query.ts';
import { query, setQuery } from '../../router.ts';

const PAGE_ROWS = 20;

const SHOWN = [
  { value: '', label: 'Where targets differ' },
  { value: 'all', label: 'All' },
];

/** The items of a run with the answers of all targets side by side. */
export function Items({ path, run }: { path: string; run: EvalRunObject }): VNode {
  const isAlone = run.targets.length < 2;
  const choice = isAlone ? 'all' : (query.value.get('items') ?? '');
  const [{ cursors, of }, setCursors] = useState<{ cursors: string[]; of: string }>({ cursors: [], of: choice });
  const pages = of === choice ? cursors : [];
  const list = useQuery<Page<EvalComparedItem>>(
    withQuery(`${path}/comparison/items`, {
      limit: PAGE_ROWS,
      differing: choice === 'all' ? 'false' : 'true',
      after: pages.at(-1),
    }),
    { version: run.status },
  );
  return html`<section class="section" aria-labelledby="items">
    <div class="section-head"><h2 id="items">Items</h2>
      ${isAlone ? null : html`<${Segments} label="Items shown" value=${choice} choices=${SHOWN} onChange=${(value: string) => setQuery({ items: value })} />`}</div>
    <${Answer} query=${list} what="items" lines=${6}>${(page: Page<EvalComparedItem>) =>
      page.data.length === 0
        ? html`<p class="faint">${choice === 'all' ? 'There are no items yet.' : 'The targets agree on every item.'}</p>`
        : html`<ul class="compared">${page.data.map((item) => html`<${Item} key=${item.id} item=${item} />`)}</ul>
          <${Pager} hasMore=${page.has_more} page=${pages.length}
            onNext=${() => setCursors({ cursors: [...pages, page.last_id ?? ''], of: choice })}
            onPrevious=${() => setCursors({ cursors: pages.slice(0, -1), of: choice })} />`}</${Answer}>
  </section>`;
}

function Item({ item }: { item: EvalComparedItem }): VNode {
  return html`<li><details><summary class="item-head"><span class="cell-main">${labelOfItem(item)}</span>
      <span class="marks">${item.outputs.map(({ target, status }) => html`<span key=${target} class="small"><${StatusMark} status=${status} /> ${target}</span>`)}</span></summary>
    <pre class="code" tabindex="0">${JSON.stringify(item.datasource_item, null, 2)}</pre>
    <div class="side-by-side">${item.outputs.map((output) => html`<${Output} key=${output.target} output=${output} />`)}</div></details></li>`;
}

function Output({ output }: { output: EvalComparedOutput }): VNode {
  const facts = [
    ...output.grades.map(({ name, score, error }) => `${name}: ${error ?? score ?? 'no score'}`),
    ...(output.finish_reason === null || output.finish_reason === 'stop' ? [] : [output.finish_reason]),
    ...(output.cost_usd === null ? [] : [exactUsd(output.cost_usd)]),
    ...(output.latency_ms === null ? [] : [`${output.latency_ms} ms`]),
  ];
  return html`<div><h3><${StatusMark} status=${output.status} /> ${output.target}</h3>
    <p class="small soft">${facts.join(' · ')}</p>
    <pre class="code" tabindex="0">${output.text ?? output.error?.message ?? 'no answer yet'}</pre></div>`;
}

const MARKS: Record<EvalComparedOutput['status'], { tone: string; icon: IconName }> = {
  pending: { tone: 'idle', icon: 'wait' },
  pass: { tone: 'good', icon: 'check' },
  fail: { tone: 'bad', icon: 'cross' },
  error: { tone: 'warn', icon: 'question' },
};

function StatusMark({ status }: { status: EvalComparedOutput['status'] }): VNode {
  const { tone, icon } = MARKS[status];
  return html`<${Badge} tone=${tone} icon=${icon}>${status}</${Badge}>`;
}
