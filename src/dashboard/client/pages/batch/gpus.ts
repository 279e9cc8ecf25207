import type { VNode } from 'preact';
import type { BatchGpu, BatchGpus } from '../../../../protocol/batch-insight.ts';
import { session } from '../../api.ts';
import { formatDuration, percent } from '../../format.ts';
import { html } from '../../html.ts';
import { Money } from '../../parts/figures.ts';
import { Failure } from '../../parts/states.ts';
import { type Column, Table } from '../../parts/table.ts';
import { useQuery } from '../../query.ts';

const COLUMNS: Column<BatchGpu>[] = [
  {
    name: 'Pool',
    kind: 'lead',
    cell: (gpu) => html`<span class="cell-main">${gpu.provider}</span><div class="cell-sub">${gpu.model ?? ''}</div>`,
  },
  { name: 'Busy with it', kind: 'number', cell: (gpu) => formatDuration(gpu.busy_seconds) },
  { name: 'Its part', kind: 'number', cell: (gpu) => percent(gpu.share) },
  { name: 'Pool busy', kind: 'number', cell: (gpu) => percent(gpu.occupancy) },
  {
    name: 'Marginal',
    kind: 'number',
    cell: (gpu) => html`<${Money} nano=${gpu.marginal_nano_usd} usd=${gpu.marginal_usd} />`,
  },
  {
    name: 'Amortised',
    kind: 'number',
    cell: (gpu) => html`<${Money} nano=${gpu.amortised_nano_usd} usd=${gpu.amortised_usd} />`,
  },
];

/** What own GPUs cost the batch, for administrators; nothing where none was used. */
export function GpuTime({
  id,
  everyMs,
  version,
}: {
  id: string;
  everyMs: number | null;
  version: string;
}): VNode | null {
  const path = session.value?.role === 'admin' ? `/v1/batches/${encodeURIComponent(id)}/gpus` : null;
  const { data, failure, reload } = useQuery<BatchGpus>(path, { everyMs, version });
  const rows = data?.data ?? [];
  if (rows.length === 0 && failure === null) return null;
  return html`<section class="section" aria-labelledby="gpus">
    <div class="section-head"><h2 id="gpus">GPU time</h2><span class="small faint">marginal: while it worked; amortised: its part of all the time, idle or not</span></div>
    ${failure ? html`<${Failure} failure=${failure} retry=${reload} />` : null}
    ${rows.length > 0 ? html`<${Table} caption="GPU time" columns=${COLUMNS} rows=${rows} rowKey=${(gpu: BatchGpu) => `${gpu.provider}/${gpu.model}`} />` : null}
  </section>`;
}
