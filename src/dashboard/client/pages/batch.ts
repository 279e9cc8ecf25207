import type { VNode } from 'preact';
import type { BatchObject } from '../../../protocol/batch.ts';
import type { FileObject } from '../../../protocol/file.ts';
import { formatBytes, formatCount, formatDuration, nowSeconds, plural, shortUsd } from '../format.ts';
import { html } from '../html.ts';
import { liveBatches, turnover } from '../live.ts';
import { BatchBadge } from '../parts/badge.ts';
import { batchName } from '../parts/batch-name.ts';
import { Copy } from '../parts/controls.ts';
import { Count, Figure, Money } from '../parts/figures.ts';
import { hasEnded, Progress, secondsLeft } from '../parts/progress.ts';
import { Failure, Loading } from '../parts/states.ts';
import { useQuery } from '../query.ts';
import { hrefOf } from '../router.ts';
import { BatchActions } from './batch/actions.ts';
import { EstimateAgainstActual } from './batch/estimate.ts';
import { Failures } from './batch/failures.ts';
import { GpuTime } from './batch/gpus.ts';
import { Requests } from './batch/requests.ts';
import { Shards } from './batch/shards.ts';
import { Split } from './batch/split.ts';
import { Throughput } from './batch/throughput.ts';
import { Timeline } from './batch/timeline.ts';

const RUNNING_MS = 3_000;

/** Everything about one batch, live while it runs. */
export function Batch({ id }: { id: string }): VNode {
  const live = liveBatches.value.get(id);
  const isOpen = live === undefined || !hasEnded(live);
  const query = useQuery<BatchObject>(`/v1/batches/${encodeURIComponent(id)}`, {
    everyMs: isOpen ? RUNNING_MS : null,
    version: turnover.value,
  });
  const stored = query.data;
  if (stored === null) {
    return html`<div class="page"><h1 tabindex="-1">Batch</h1>
      ${query.failure ? html`<${Failure} failure=${query.failure} retry=${query.reload} />` : html`<${Loading} what="the batch" lines=${8} />`}</div>`;
  }
  // Events come each second, the stored answer has the shards.
  const batch = live && !hasEnded(stored) ? { ...stored, ...live, shards: stored.shards } : stored;
  const everyMs = hasEnded(batch) ? null : RUNNING_MS;
  const version = `${batch.status} ${turnover.value}`;
  return html`<div class="page">
    <${Head} batch=${batch} onChange=${query.reload} />
    ${query.failure ? html`<${Failure} failure=${query.failure} retry=${query.reload} />` : null}
    <${Summary} batch=${batch} />
    <${EstimateAgainstActual} batch=${batch} />
    ${batch.errors ? html`<${FileErrors} batch=${batch} />` : null}
    ${
      batch.status === 'failed'
        ? null
        : html`
      <${Split} id=${id} everyMs=${everyMs} version=${version} />
      <${GpuTime} id=${id} everyMs=${everyMs} version=${version} />
      <${Shards} batch=${batch} />
      <${Throughput} id=${id} everyMs=${everyMs} version=${version} />
      <${Failures} batch=${batch} everyMs=${everyMs} version=${version} />
      <${Requests} batch=${batch} everyMs=${everyMs} version=${version} />`
    }
  </div>`;
}

function Head({ batch, onChange }: { batch: BatchObject; onChange: () => void }): VNode {
  const file = useQuery<FileObject>(`/v1/files/${encodeURIComponent(batch.input_file_id)}`);
  return html`<div class="page-head">
    <div>
      <p class="small"><a href=${hrefOf('/batches')}>Batches</a></p>
      <h1 tabindex="-1">${batchName(batch)}</h1>
      <p class="lead batch-lead"><${BatchBadge} batch=${batch} />
        <span class="mono small">${batch.id}<${Copy} text=${batch.id} what="the batch’s id" /></span>
        ${file.data ? html`<span class="small">${file.data.filename}, ${formatBytes(file.data.bytes)}</span>` : null}</p>
    </div>
    <${BatchActions} batch=${batch} onChange=${onChange} />
  </div>`;
}

function Summary({ batch }: { batch: BatchObject }): VNode {
  const { total, completed, failed } = batch.request_counts;
  const now = nowSeconds();
  const left = secondsLeft(batch, now);
  const end = batch.completed_at ?? batch.expired_at ?? batch.cancelled_at ?? batch.failed_at ?? now;
  const took = end - (batch.in_progress_at ?? batch.created_at);
  const done = completed + failed;
  const { cost, usage } = batch;
  return html`<section class="section" aria-label="Summary">
    <div class="batch-progress"><${Progress} batch=${batch} tall />
      <p class="soft">${formatCount(done)} of ${plural(total, 'request')}${failed > 0 ? html`, <span class="bad-text">${formatCount(failed)} failed</span>` : null}${
        left === null ? null : html` · about ${formatDuration(left)} left`
      }</p></div>
    <dl class="figures">
      <${Figure} name=${hasEnded(batch) ? 'Cost' : 'Cost so far'} tone="lead" note=${
        cost.unpriced_entries > 0
          ? html`<span class="warn-text">${plural(cost.unpriced_entries, 'entry', 'entries')} without a price</span>`
          : html`of <${Money} nano=${cost.list_amount_nano_usd} usd=${cost.list_amount_usd} /> at list prices`
      }><${Money} nano=${cost.amount_nano_usd} usd=${cost.amount_usd} unpriced=${cost.unpriced_entries} /></${Figure}>
      <${Figure} name="Cost per request" note="over those that are done">
        <span>${done === 0 || cost.unpriced_entries > 0 ? '–' : shortUsd(cost.amount_nano_usd / done)}</span></${Figure}>
      <${Figure} name="Tokens" note=${usage ? html`<${Count} value=${usage.input_tokens} /> in (<${Count} value=${usage.input_tokens_details.cached_tokens} /> cached), <${Count} value=${usage.output_tokens} /> out` : 'none counted yet'}>
        <${Count} value=${usage?.total_tokens ?? 0} /></${Figure}>
      <${Figure} name=${hasEnded(batch) ? 'Took' : 'Running for'} note=${`window ${batch.completion_window}`}><span>${batch.status === 'validating' ? '–' : formatDuration(took)}</span></${Figure}>
      <${Figure} name="Rate" note="requests a second, on average"><span>${took > 0 && done > 0 ? Number((done / took).toPrecision(3)) : '–'}</span></${Figure}>
    </dl>
    <${Timeline} batch=${batch} />
    <div class="tags">
      <span class="tag">route ${batch.config ?? 'by model'}</span><span class="tag">${batch.endpoint}</span>
      ${batch.model ? html`<span class="tag">${batch.model}</span>` : null}
      ${batch.retry_of ? html`<a class="tag" href=${hrefOf(`/batches/${batch.retry_of}`)}>retry of ${batch.retry_of}</a>` : null}
      ${Object.entries(batch.metadata ?? {}).map(([name, value]) => html`<span class="tag" key=${name}>${name}: ${value}</span>`)}
    </div>
  </section>`;
}

function FileErrors({ batch }: { batch: BatchObject }): VNode {
  const isOfFile = batch.status === 'failed';
  return html`<section class="section" aria-labelledby="file-errors">
    <h2 id="file-errors">${isOfFile ? 'Why it failed' : 'Why it stopped'}</h2>
    ${isOfFile ? html`<p class="soft">Nothing was sent. Mend these lines and submit the file again.</p>` : null}
    <ul class="findings">${batch.errors?.data.map(
      (
        error,
        index,
      ) => html`<li key=${index}><span class="faint nowrap">${error.line === null ? (isOfFile ? 'file' : 'batch') : `line ${error.line}`}</span>
        <span><strong>${error.code}</strong>${error.param ? html` <code>${error.param}</code>` : null}<br />${error.message}</span></li>`,
    )}</ul>
  </section>`;
}
