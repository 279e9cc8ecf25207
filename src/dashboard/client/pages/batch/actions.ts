import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { BatchObject } from '../../../../protocol/batch.ts';
import { send } from '../../api.ts';
import { download } from '../../download.ts';
import { formatCount } from '../../format.ts';
import { html } from '../../html.ts';
import { Button, useAction } from '../../parts/action.ts';
import { Confirm } from '../../parts/dialog.ts';
import { hasEnded } from '../../parts/progress.ts';
import { Failure } from '../../parts/states.ts';
import { navigate } from '../../router.ts';

/** What can be done with a batch in its state. */
export function BatchActions({ batch, onChange }: { batch: BatchObject; onChange: () => void }): VNode {
  const action = useAction();
  const [asks, setAsks] = useState<'cancel' | 'retry' | null>(null);
  const path = `/v1/batches/${encodeURIComponent(batch.id)}`;
  const change = (verb: string) => () =>
    action.run(async () => {
      await send('POST', `${path}/${verb}`);
      onChange();
    });
  const confirm = async () => {
    const verb = asks;
    setAsks(null);
    if (verb === 'cancel') await change('cancel')();
    if (verb === 'retry') {
      await action.run(async () => {
        const again = await send<BatchObject>('POST', `${path}/retry`);
        navigate(`/batches/${again.id}`);
      });
    }
  };
  const { completed, failed, total } = batch.request_counts;
  const canHold = batch.status === 'validating' || batch.status === 'in_progress';
  return html`<div class="controls">
    ${canHold && !batch.paused ? html`<${Button} isBusy=${action.isBusy} onClick=${change('pause')}>Pause</${Button}>` : null}
    ${batch.paused ? html`<${Button} kind="primary" isBusy=${action.isBusy} onClick=${change('resume')}>Resume</${Button}>` : null}
    ${canHold ? html`<${Button} kind="danger" isBusy=${action.isBusy} onClick=${() => setAsks('cancel')}>Cancel</${Button}>` : null}
    ${hasEnded(batch) && failed > 0 ? html`<${Button} isBusy=${action.isBusy} onClick=${() => setAsks('retry')}>Retry ${formatCount(failed)} failed</${Button}>` : null}
    ${completed + failed > 0 ? html`<${Button} onClick=${() => action.run(() => download(`${path}/output`, `${batch.id}.jsonl`))}>${hasEnded(batch) ? 'Download results' : 'Download so far'}</${Button}>` : null}
    ${
      asks === 'cancel'
        ? html`<${Confirm} title="Cancel this batch?" verb="Cancel the batch" danger onConfirm=${confirm} onClose=${() => setAsks(null)}>
      <p>${formatCount(total - completed - failed)} requests will not be sent any more. What is in flight finishes and is paid; results so far stay.</p></${Confirm}>`
        : null
    }
    ${
      asks === 'retry'
        ? html`<${Confirm} title="Retry the failed requests?" verb="Start a new batch" onConfirm=${confirm} onClose=${() => setAsks(null)}>
      <p>A new batch is made of the ${formatCount(failed)} requests without a result, on the same route. It costs what they cost.</p></${Confirm}>`
        : null
    }
    ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
  </div>`;
}
