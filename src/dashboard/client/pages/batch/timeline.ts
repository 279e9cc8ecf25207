import type { VNode } from 'preact';
import type { BatchObject } from '../../../../protocol/batch.ts';
import { formatDuration, formatTime, nowSeconds } from '../../format.ts';
import { html } from '../../html.ts';
import { When } from '../../parts/figures.ts';
import { hasEnded } from '../../parts/progress.ts';

const STATES = [
  ['created_at', 'Created'],
  ['in_progress_at', 'Running'],
  ['cancelling_at', 'Cancelling'],
  ['finalizing_at', 'Finalizing'],
  ['completed_at', 'Completed'],
  ['failed_at', 'Failed'],
  ['expired_at', 'Expired'],
  ['cancelled_at', 'Cancelled'],
] as const;

/** The states a batch has been in, with how long each lasted. */
export function Timeline({ batch }: { batch: BatchObject }): VNode {
  const steps = STATES.flatMap(([field, name]) => {
    const at = batch[field];
    return at === null ? [] : [{ at, name }];
  }).sort((a, b) => a.at - b.at);
  return html`<ol class="timeline" aria-label="States">
    ${steps.map(({ at, name }, index) => {
      const next = steps[index + 1]?.at ?? (hasEnded(batch) ? null : nowSeconds());
      return html`<li key=${name} class=${next === null || index < steps.length - 1 ? 'past' : 'now'}>
        <span class="cell-main">${name}</span><${When} at=${at} />
        ${next === null ? null : html`<span class="faint small">${formatDuration(next - at)}</span>`}</li>`;
    })}
    ${
      hasEnded(batch) || batch.expires_at === null
        ? null
        : html`<li class="ahead"><span>Ends by</span><${When} at=${batch.expires_at} />
      <span class="faint small" title=${formatTime(batch.expires_at)}>in ${formatDuration(batch.expires_at - nowSeconds())}</span></li>`
    }
  </ol>`;
}
