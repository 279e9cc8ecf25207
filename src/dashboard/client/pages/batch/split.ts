import type { VNode } from 'preact';
import type { BatchTarget } from '../../../../protocol/batch-insight.ts';
import { formatCount, percent } from '../../format.ts';
import { html } from '../../html.ts';
import { Count, Money } from '../../parts/figures.ts';
import { Held } from '../../parts/held.ts';
import { Answer } from '../../parts/states.ts';
import { type Column, Table } from '../../parts/table.ts';
import { useQuery } from '../../query.ts';

interface Row extends BatchTarget {
  fill: string;
}

const IN_FLIGHT: Column<Row> = {
  name: 'In flight',
  kind: 'number',
  cell: (row) => html`<span class=${row.in_flight > 0 ? '' : 'faint'}>${formatCount(row.in_flight)}</span>`,
};

/** How the batch is divided over targets: wanted and got. */
export function Split({ id, everyMs, version }: { id: string; everyMs: number | null; version: string }): VNode {
  const query = useQuery<{ data: BatchTarget[] }>(`/v1/batches/${encodeURIComponent(id)}/targets`, {
    everyMs,
    version,
  });
  return html`<section class="section" aria-labelledby="split">
    <h2 id="split">Split by target</h2>
    <${Answer} query=${query} what="the split" lines=${3}>${({ data }: { data: BatchTarget[] }) =>
      data.length === 0
        ? html`<p class="faint">No line has gone to a target.</p>`
        : html`<${Targets} targets=${data} isRunning=${everyMs !== null} />`}</${Answer}>
  </section>`;
}

function Targets({ targets, isRunning }: { targets: readonly BatchTarget[]; isRunning: boolean }): VNode {
  const rows: Row[] = targets.map((target, index) => ({ ...target, fill: index < 6 ? String(index + 1) : 'rest' }));
  const wanted = rows.reduce((sum, row) => sum + (row.planned ?? 0), 0);
  const got = rows.reduce((sum, row) => sum + row.requests, 0);
  const weights = rows.reduce((sum, row) => sum + (row.weight ?? 0), 0);
  const columns: Column<Row>[] = [
    {
      name: 'Target',
      kind: 'lead',
      cell: (row) => html`<span class="cell-main"><i class=${`swatch fill-${row.fill}`}></i>${row.target}</span>`,
    },
    {
      name: 'Wanted',
      kind: 'number',
      cell: (
        row,
      ) => html`${row.planned === null ? html`<span class="faint">${row.weight === null ? 'fallback' : 'shared queue'}</span>` : formatCount(row.planned)}
        ${row.weight !== null && weights > 0 && rows.length > 1 ? html` <span class="faint">${percent(row.weight / weights)}</span>` : null}`,
    },
    {
      name: 'Got',
      kind: 'number',
      cell: (row) =>
        html`${formatCount(row.requests)} <span class="faint">${got === 0 ? '' : percent(row.requests / got)}</span>`,
    },
    ...(isRunning ? [IN_FLIGHT] : []),
    {
      name: 'Failed',
      kind: 'number',
      cell: (row) => html`<span class=${row.failed > 0 ? 'bad-text' : 'faint'}>${formatCount(row.failed)}</span>`,
    },
    {
      name: 'Retried',
      kind: 'number',
      cell: (row) =>
        html`<span class=${row.entries > row.requests ? '' : 'faint'}>${formatCount(row.entries - row.requests)}</span>`,
    },
    { name: 'Tokens in', kind: 'number', cell: (row) => html`<${Count} value=${row.input_tokens} />` },
    { name: 'Tokens out', kind: 'number', cell: (row) => html`<${Count} value=${row.output_tokens} />` },
    {
      name: 'Cost',
      kind: 'number',
      cell: (row) =>
        html`<${Money} nano=${row.amount_nano_usd} usd=${row.amount_usd} unpriced=${row.unpriced_entries} />`,
    },
  ];
  return html`
    ${isRunning ? rows.map(({ target, held }) => held && html`<${Held} key=${target} target=${target} ...${held} />`) : null}
    <div class="split-bars" aria-hidden="true">
      ${wanted > 0 ? html`<div class="split-bar thin" title="wanted">${rows.map((row) => html`<span key=${row.target} class=${`fill-${row.fill}`} style=${{ flexGrow: row.planned ?? 0 }}></span>`)}</div>` : null}
      ${got > 0 ? html`<div class="split-bar" title="got">${rows.filter((row) => row.requests > 0).map((row) => html`<span key=${row.target} class=${`fill-${row.fill}`} style=${{ flexGrow: row.requests }}></span>`)}</div>` : null}
    </div>
    <${Table} caption="Split by target" columns=${columns} rows=${rows} rowKey=${(row: Row) => row.target} />`;
}
