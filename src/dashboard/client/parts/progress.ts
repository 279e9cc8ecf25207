import type { VNode } from 'preact';
import type { BatchObject } from '../../../protocol/batch.ts';
import { formatCount } from '../format.ts';
import { html } from '../html.ts';

const ENDED = ['completed', 'failed', 'expired', 'cancelled'];

export function hasEnded(batch: Pick<BatchObject, 'status'>): boolean {
  return ENDED.includes(batch.status);
}

/** Done and failed of all, as a bar. */
export function Progress({ batch, tall = false }: { batch: BatchObject; tall?: boolean }): VNode {
  const { total, completed, failed } = batch.request_counts;
  const width = (count: number) => ({ width: `${total === 0 ? 0 : (count / total) * 100}%` });
  const text = `${formatCount(completed)} completed, ${formatCount(failed)} failed of ${formatCount(total)}`;
  return html`<div class=${tall ? 'progress tall' : 'progress'} role="progressbar" aria-label="Requests" aria-valuemin="0"
    aria-valuemax=${total} aria-valuenow=${completed + failed} aria-valuetext=${text} title=${text}>
    <span class=${hasEnded(batch) ? 'done ended' : 'done'} style=${width(completed)}></span>
    <span class="failed" style=${width(failed)}></span>
  </div>`;
}

/** Seconds until a running batch is done, at its pace so far; null when nothing can be said. */
export function secondsLeft(batch: BatchObject, now: number): number | null {
  const { total, completed, failed } = batch.request_counts;
  const done = completed + failed;
  if (batch.status !== 'in_progress' || batch.in_progress_at === null || batch.paused || done === 0) return null;
  const elapsed = now - batch.in_progress_at;
  return elapsed < 2 ? null : (elapsed / done) * (total - done);
}
