import type { VNode } from 'preact';
import type { BatchThroughput } from '../../../../protocol/batch-insight.ts';
import { formatDuration } from '../../format.ts';
import { html } from '../../html.ts';
import { LineChart } from '../../parts/line-chart.ts';
import { Answer } from '../../parts/states.ts';
import { useQuery } from '../../query.ts';

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const rate = (value: number) => String(Number(value.toPrecision(3)));

/** Requests that finished, over time. */
export function Throughput({ id, everyMs, version }: { id: string; everyMs: number | null; version: string }): VNode {
  const query = useQuery<BatchThroughput>(`/v1/batches/${encodeURIComponent(id)}/throughput`, { everyMs, version });
  return html`<section class="section" aria-labelledby="throughput">
    <div class="section-head"><h2 id="throughput">Throughput</h2><span class="small faint">requests a second that became durable</span></div>
    <${Answer} query=${query} what="the throughput" lines=${3}>${(answer: BatchThroughput) =>
      answer.data.every(({ requests }) => requests === 0)
        ? html`<p class="faint">No request has finished yet.</p>`
        : html`<${LineChart} label="Requests a second" format=${rate} values=${answer.data.map(({ requests }) => requests / answer.bucket_seconds)}
            slots=${answer.data.map(({ at }) => ({ label: clock.format(at * 1000), title: `${moment.format(at * 1000)}, over ${formatDuration(answer.bucket_seconds)}` }))} />`}</${Answer}>
  </section>`;
}
