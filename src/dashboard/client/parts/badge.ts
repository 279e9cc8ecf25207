import type { VNode } from 'preact';
import type { BatchObject, BatchStatus } from '../../../protocol/batch.ts';
import { html } from '../html.ts';
import { Icon, type IconName } from './icons.ts';

type Tone = 'good' | 'bad' | 'warn' | 'run' | 'idle';

const BATCH: Record<BatchStatus, { tone: Tone; icon: IconName; text: string }> = {
  validating: { tone: 'run', icon: 'wait', text: 'Validating' },
  failed: { tone: 'bad', icon: 'cross', text: 'Failed' },
  in_progress: { tone: 'run', icon: 'run', text: 'Running' },
  finalizing: { tone: 'run', icon: 'run', text: 'Finalizing' },
  completed: { tone: 'good', icon: 'check', text: 'Completed' },
  expired: { tone: 'warn', icon: 'wait', text: 'Expired' },
  cancelling: { tone: 'warn', icon: 'stop', text: 'Cancelling' },
  cancelled: { tone: 'idle', icon: 'stop', text: 'Cancelled' },
};

/** Tone by colour, icon and word at once. */
export function Badge({ tone, icon, children }: { tone: Tone; icon: IconName; children?: unknown }): VNode {
  return html`<span class=${`badge ${tone}`}><${Icon} name=${icon} />${children}</span>`;
}

export function BatchBadge({ batch }: { batch: Pick<BatchObject, 'status' | 'paused'> }): VNode {
  if (batch.paused) return html`<${Badge} tone="warn" icon="pause">Paused</${Badge}>`;
  const { tone, icon, text } = BATCH[batch.status];
  return html`<${Badge} tone=${tone} icon=${icon}>${text}</${Badge}>`;
}

const REQUEST: Record<string, { tone: Tone; icon: IconName }> = {
  pending: { tone: 'idle', icon: 'wait' },
  completed: { tone: 'good', icon: 'check' },
  succeeded: { tone: 'good', icon: 'check' },
  failed: { tone: 'bad', icon: 'cross' },
  expired: { tone: 'warn', icon: 'wait' },
  cancelled: { tone: 'idle', icon: 'stop' },
  unknown: { tone: 'warn', icon: 'question' },
  superseded: { tone: 'idle', icon: 'stop' },
};

/** The status of a request or of a ledger entry. */
export function StatusBadge({ status }: { status: string }): VNode {
  const { tone, icon } = REQUEST[status] ?? { tone: 'idle', icon: 'question' };
  return html`<${Badge} tone=${tone} icon=${icon}>${status}</${Badge}>`;
}
