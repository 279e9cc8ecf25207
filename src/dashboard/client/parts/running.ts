import type { VNode } from 'preact';
import type { BatchObject } from '../../../protocol/batch.ts';
import { formatCount, formatDuration, nowSeconds } from '../format.ts';
import { html } from '../html.ts';
import { liveState, runningBatches } from '../live.ts';
import { hrefOf } from '../router.ts';
import { BatchBadge } from './badge.ts';
import { batchName } from './batch-name.ts';
import { Money } from './figures.ts';
import { Progress, secondsLeft } from './progress.ts';
import { Loading } from './states.ts';

/** The batches that run now, with progress and cost so far. */
export function RunningBatches(): VNode {
  const batches = runningBatches.value;
  return html`<section class="section" aria-labelledby="running">
    <h2 id="running">Running now</h2>
    ${liveState.value === 'idle' && batches.length === 0 ? html`<${Loading} what="running batches" lines=${2} />` : null}
    ${liveState.value !== 'idle' && batches.length === 0 ? html`<p class="faint">No batch is running.</p>` : null}
    <ul class="running">${batches.map((batch) => html`<${Running} key=${batch.id} batch=${batch} />`)}</ul>
  </section>`;
}

function Running({ batch }: { batch: BatchObject }): VNode {
  const { total, completed, failed } = batch.request_counts;
  const left = secondsLeft(batch, nowSeconds());
  return html`<li>
    <div class="running-head"><a href=${hrefOf(`/batches/${batch.id}`)} class="cell-main" title=${batch.id}>${batchName(batch)}</a><${BatchBadge} batch=${batch} /></div>
    <${Progress} batch=${batch} />
    <div class="running-foot small">
      <span>${formatCount(completed + failed)} of ${formatCount(total)}${failed > 0 ? html`, <span class="bad-text">${formatCount(failed)} failed</span>` : null}</span>
      <span><${Money} nano=${batch.cost.amount_nano_usd} usd=${batch.cost.amount_usd} unpriced=${batch.cost.unpriced_entries} /> so far${left === null ? null : html` · about ${formatDuration(left)} left`}</span>
    </div>
  </li>`;
}
