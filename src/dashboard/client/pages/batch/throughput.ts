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

/** Requests that finished, and how many were in flight meanwhile. */
export function Throughput({ id, everyMs, version }: { id: string; everyMs: number | null; version: string }): VNode {
  const query = useQuery<BatchThroughput>(`/v1/batches/${encodeURIComponent(id)}/throughput`, { everyMs, version });
  return html`<section class="section" aria-labelledby="throughput">
    <h2 id="throughput">Throughput and concurrency</h2>
    <${Answer} query=${query} what="the throughput" lines=${3}>${(answer: BatchThroughput) =>
      answer.data.every(({ requests }) => requests === 0)
        ? html`<p class="faint">No request has finished yet.</p>`
        : html`<${Charts} answer=${answer} />`}</${Answer}>
  </section>`;
}

function Charts({ answer: { data, bucket_seconds: stretch } }: { answer: BatchThroughput }): VNode {
  const slots = data.map(({ at }) => ({
    label: clock.format(at * 1000),
    title: `${moment.format(at * 1000)}, over ${formatDuration(stretch)}`,
  }));
  const chart = (label: string, values: number[]) => html`<figure>
    <figcaption class="small faint">${label}</figcaption>
    <${LineChart} label=${label} format=${rate} values=${values} slots=${slots} /></figure>`;
  const hasFlight = data.some(({ in_flight: count }) => count !== null);
  return html`<div class="side-by-side">
    ${chart(
      'Requests a second that became durable',
      data.map(({ requests }) => requests / stretch),
    )}
    ${
      hasFlight
        ? chart(
            'Requests in flight, on average',
            data.map(({ in_flight: count }) => count ?? 0),
          )
        : html`<p class="faint small">Nothing was sent one by one: how many requests of a provider batch are worked on at once, its provider does not tell.</p>`
    }
  </div>`;
}
