import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { BatchObject } from '../../../../protocol/batch.ts';
import type { BatchFailure, BatchFailures } from '../../../../protocol/batch-insight.ts';
import { formatCount, plural } from '../../format.ts';
import { html } from '../../html.ts';
import { Answer } from '../../parts/states.ts';
import { useQuery } from '../../query.ts';
import { RequestDialog } from './request-dialog.ts';

/** Failures grouped by cause, each with a few examples. */
export function Failures({
  batch,
  everyMs,
  version,
}: {
  batch: BatchObject;
  everyMs: number | null;
  version: string;
}): VNode {
  const query = useQuery<BatchFailures>(`/v1/batches/${encodeURIComponent(batch.id)}/failures`, { everyMs, version });
  const [shown, setShown] = useState<string | null>(null);
  return html`<section class="section" aria-labelledby="failures">
    <h2 id="failures">Errors by cause</h2>
    <${Answer} query=${query} what="the errors" lines=${3}>${({ data, not_grouped: rest }: BatchFailures) =>
      data.length === 0
        ? html`<p class="faint">No attempt has failed.</p>`
        : html`<ul class="causes">${data.map((cause, index) => html`<${Cause} key=${index} cause=${cause} onShow=${setShown} />`)}</ul>
            ${rest > 0 ? html`<p class="small faint">${plural(rest, 'failed request')} more, not grouped.</p>` : null}`}</${Answer}>
    ${shown ? html`<${RequestDialog} batchId=${batch.id} requestId=${shown} onClose=${() => setShown(null)} />` : null}
  </section>`;
}

function Cause({ cause, onShow }: { cause: BatchFailure; onShow: (id: string) => void }): VNode {
  const name = cause.code ?? (cause.status === 'unknown' ? 'no answer' : 'error');
  const retried = cause.attempts - cause.requests;
  return html`<li>
    <div class="cause-head">
      <span><strong>${name}</strong>${cause.status_code ? html` <span class="faint">HTTP ${cause.status_code}</span>` : null}</span>
      <span class="soft">${cause.target ?? 'not sent'}</span>
      <span class="cause-count">${cause.requests > 0 ? html`<span class="bad-text">${plural(cause.requests, 'request')} failed</span>` : null}
        ${retried > 0 ? html`<span class="faint">${plural(retried, 'attempt')} retried</span>` : null}</span>
    </div>
    <ul class="examples">${cause.examples.map(
      (example) => html`<li key=${example.line}>
        <button type="button" class="text-button mono" onClick=${() => example.id && onShow(example.id)}>${example.custom_id}</button>
        <span class="faint">line ${formatCount(example.line)}</span>
        ${example.message ? html`<span class="message">${example.message}</span>` : null}</li>`,
    )}</ul>
  </li>`;
}
