import type { VNode } from 'preact';
import type { BatchRequestDetail } from '../../../../protocol/batch-insight.ts';
import type { LedgerEntryObject } from '../../../../protocol/ledger.ts';
import { formatCount } from '../../format.ts';
import { html } from '../../html.ts';
import { StatusBadge } from '../../parts/badge.ts';
import { Dialog } from '../../parts/dialog.ts';
import { Money, When } from '../../parts/figures.ts';
import { Answer } from '../../parts/states.ts';
import { type Column, Table } from '../../parts/table.ts';
import { useQuery } from '../../query.ts';

const ATTEMPTS: Column<LedgerEntryObject>[] = [
  { name: 'Attempt', kind: 'number', cell: (entry) => entry.attempt },
  {
    name: 'Result',
    cell: (entry) =>
      html`<${StatusBadge} status=${entry.status} />${entry.status_code ? html` <span class="faint">${entry.status_code}</span>` : null}`,
  },
  { name: 'Target', cell: (entry) => entry.target },
  {
    name: 'Tokens',
    kind: 'number',
    cell: ({ usage }) =>
      usage
        ? `${formatCount(usage.input ?? 0)} / ${formatCount(usage.output ?? 0)}`
        : html`<span class="faint">–</span>`,
  },
  {
    name: 'Cost',
    kind: 'number',
    cell: (entry) => html`<${Money} nano=${entry.amount_nano_usd} usd=${entry.amount_usd} />`,
  },
  { name: 'At', kind: 'number', cell: (entry) => html`<${When} at=${entry.created_at} />` },
];

/** One request: what was sent, what came back, what each attempt cost. */
export function RequestDialog({
  batchId,
  requestId,
  onClose,
}: {
  batchId: string;
  requestId: string;
  onClose: () => void;
}): VNode {
  const path = `/v1/batches/${encodeURIComponent(batchId)}/requests/${encodeURIComponent(requestId)}`;
  const query = useQuery<BatchRequestDetail>(path);
  return html`<${Dialog} title=${query.data ? html`<span class="mono">${query.data.custom_id}</span>` : 'Request'} onClose=${onClose}>
    <${Answer} query=${query} what="the request" lines=${6}>${(detail: BatchRequestDetail) => html`<${Detail} detail=${detail} />`}</${Answer}>
  </${Dialog}>`;
}

function Detail({ detail }: { detail: BatchRequestDetail }): VNode {
  const answer = textOf(detail.response);
  return html`
    <dl class="pairs small">
      <dt>Status</dt><dd><${StatusBadge} status=${detail.status} /></dd>
      <dt>Target</dt><dd>${detail.target ?? '–'}</dd>
      <dt>Line</dt><dd>${formatCount(detail.line)}</dd>
      <dt>Cost</dt><dd><${Money} nano=${detail.cost_nano_usd} usd=${detail.cost_usd} /></dd>
      ${detail.error ? html`<dt>Error</dt><dd class="bad-text">${detail.error.code}: ${detail.error.message}</dd>` : null}
      ${detail.warnings.length > 0 ? html`<dt>Warnings</dt><dd>${detail.warnings.join(' · ')}</dd>` : null}
    </dl>
    ${answer === null ? null : html`<h3>Answer</h3><pre class="code" tabindex="0">${answer}</pre>`}
    <h3>Input</h3><pre class="code" tabindex="0">${pretty(detail.input)}</pre>
    ${detail.response === null ? null : html`<details><summary>Response as JSON</summary><pre class="code" tabindex="0">${pretty(detail.response)}</pre></details>`}
    <h3>Attempts</h3>
    ${detail.entries.length === 0 ? html`<p class="faint">None reached a provider.</p>` : html`<${Table} caption="Attempts" columns=${ATTEMPTS} rows=${detail.entries} rowKey=${(entry: LedgerEntryObject) => entry.id} />`}`;
}

/** The text of a chat answer, the part that people read; null for answers of other kinds. */
function textOf(response: unknown): string | null {
  const body = (response as { body?: { choices?: { message?: { content?: unknown } }[] } } | null)?.body;
  const content = body?.choices?.[0]?.message?.content;
  return typeof content === 'string' ? content : null;
}

function pretty(value: unknown): string {
  return value === null ? 'The file is gone.' : JSON.stringify(value, null, 2);
}
