import type { VNode } from 'preact';
import type { EvalRunObject, EvalRunStatus } from '../../../../protocol/eval-run.ts';
import { formatCount, percent } from '../../format.ts';
import { html } from '../../html.ts';
import { Badge } from '../../parts/badge.ts';
import { When } from '../../parts/figures.ts';
import type { IconName } from '../../parts/icons.ts';
import { type Column, Table } from '../../parts/table.ts';
import { setQuery } from '../../router.ts';

const STATUSES: Record<EvalRunStatus, { tone: string; icon: IconName; text: string }> = {
  queued: { tone: 'idle', icon: 'wait', text: 'Queued' },
  in_progress: { tone: 'run', icon: 'run', text: 'Running' },
  completed: { tone: 'good', icon: 'check', text: 'Completed' },
  failed: { tone: 'bad', icon: 'cross', text: 'Failed' },
  canceled: { tone: 'idle', icon: 'stop', text: 'Canceled' },
};

export function hasEnded({ status }: Pick<EvalRunObject, 'status'>): boolean {
  return status !== 'queued' && status !== 'in_progress';
}

export function RunBadge({ run }: { run: Pick<EvalRunObject, 'status'> }): VNode {
  const { tone, icon, text } = STATUSES[run.status];
  return html`<${Badge} tone=${tone} icon=${icon}>${text}</${Badge}>`;
}

/** The share of all items that a target passed so far; null before the first. */
export function passRateOf({ result_counts: { total, passed } }: Pick<EvalRunObject, 'result_counts'>): number | null {
  return total === 0 ? null : passed / total;
}

/** The runs of an eval, the newest first; choosing one compares its targets below. */
export function Runs({ runs, shown }: { runs: readonly EvalRunObject[]; shown: string | null }): VNode {
  const columns: Column<EvalRunObject>[] = [
    {
      name: 'Run',
      kind: 'lead',
      cell: ({
        id,
        name,
      }) => html`<button type="button" class="text-button cell-main" title=${id} aria-pressed=${String(id === shown)}
        onClick=${() => setQuery({ run: id })}>${name}</button>`,
    },
    { name: 'Status', cell: (run) => html`<${RunBadge} run=${run} />` },
    {
      name: 'Passed',
      kind: 'wide',
      cell: ({ targets }) =>
        html`<ul class="plain small">${targets.map(
          (target) =>
            html`<li key=${target.index}>${target.name} <span class="faint">${rateText(passRateOf(target))}</span></li>`,
        )}</ul>`,
    },
    {
      name: 'Items',
      kind: 'number',
      cell: ({ targets }) => formatCount(targets[0]?.result_counts.total ?? 0),
    },
    { name: 'Created', kind: 'number', cell: ({ created_at }) => html`<${When} at=${created_at} />` },
  ];
  return html`<section class="section" aria-labelledby="runs">
    <div class="section-head"><h2 id="runs">Runs</h2></div>
    <${Table} caption="Runs" columns=${columns} rows=${runs} rowKey=${({ id }: EvalRunObject) => id}
      onRow=${({ id }: EvalRunObject) => setQuery({ run: id })} />
  </section>`;
}

function rateText(rate: number | null): string {
  return rate === null ? '–' : percent(rate);
}
