import type { VNode } from 'preact';
import type { EvalComparison, EvalInterval, EvalTargetFigures } from '../../../../protocol/eval-comparison.ts';
import type { EvalRunObject } from '../../../../protocol/eval-run.ts';
import { formatCount, percent } from '../../format.ts';
import { html } from '../../html.ts';
import { Count, Money } from '../../parts/figures.ts';
import { Answer } from '../../parts/states.ts';
import { type Column, Table } from '../../parts/table.ts';
import { useQuery } from '../../query.ts';
import { fillOf } from './fills.ts';
import { Frontier } from './frontier.ts';
import { Histograms } from './histograms.ts';
import { Pairs } from './pairs.ts';
import { hasEnded, RunBadge } from './runs.ts';

const RUNNING_MS = 5_000;

/** The targets of a run beside each other: figures, quality over cost, how scores are spread, and pair by pair. */
export function Comparison({ path, run }: { path: string; run: EvalRunObject }): VNode {
  const found = useQuery<EvalComparison>(`${path}/comparison`, {
    everyMs: hasEnded(run) ? null : RUNNING_MS,
    version: run.status,
  });
  return html`<section class="section" aria-labelledby="comparison">
    <div class="section-head"><h2 id="comparison">${run.name}</h2><div class="controls"><${RunBadge} run=${run} />
      <a class="button small" href=${`${path}/comparison?format=csv`} download="comparison.csv">CSV</a></div></div>
    ${run.error === null ? null : html`<p class="notice bad" role="alert">${run.error.message}</p>`}
    <${Answer} query=${found} what="the comparison" lines=${6}>${(comparison: EvalComparison) => html`
      ${comparison.failed_targets.map(
        ({ target, message }) =>
          html`<p key=${target} class="notice bad"><span><strong>${target}</strong> ${message}</span></p>`,
      )}
      ${comparison.targets.length === 0 ? null : html`<${Figures} comparison=${comparison} />`}`}</${Answer}>
  </section>`;
}

function Figures({ comparison }: { comparison: EvalComparison }): VNode {
  const { targets, intervals, items, items_left_out } = comparison;
  return html`<${Table} caption="Targets" columns=${COLUMNS} rows=${targets} rowKey=${({ target }: EvalTargetFigures) => target} />
    <p class="small faint">${formatCount(items)} items${items_left_out > 0 ? `, and ${formatCount(items_left_out)} more that are left out` : ''}. Intervals hold the true figure ${percent(intervals.confidence)} of the time: Wilson’s for pass rates, a paired bootstrap
      of ${formatCount(intervals.resamples)} resamples for the others.</p>
    <div class="columns">
      <${Frontier} comparison=${comparison} />
      <${Histograms} comparison=${comparison} />
    </div>
    ${comparison.pairs.length === 0 ? null : html`<${Pairs} pairs=${comparison.pairs} />`}`;
}

const COLUMNS: Column<EvalTargetFigures>[] = [
  {
    name: 'Target',
    kind: 'lead',
    cell: (
      { target, on_frontier },
      index,
    ) => html`<span class="cell-main"><i class=${`swatch fill-${fillOf(index)}`}></i>${target}</span>
      ${on_frontier ? html`<div class="cell-sub">on the frontier</div>` : null}`,
  },
  {
    name: 'Pass rate',
    kind: 'number',
    cell: ({
      pass_rate,
      passed,
      graded,
    }) => html`<span class="exact" title=${`${formatCount(passed)} of ${formatCount(graded)} graded`}>${share(pass_rate.value)}</span>
      <div class="cell-sub">${range(pass_rate)}</div>`,
  },
  {
    name: 'Score',
    kind: 'number',
    cell: ({ score }) => (score.value === null ? html`<span class="faint">–</span>` : score.value.toFixed(3)),
  },
  { name: 'Valid', kind: 'number', cell: ({ valid_rate }) => share(valid_rate) },
  { name: 'Truncated', kind: 'number', cell: ({ truncation_rate }) => trouble(truncation_rate) },
  { name: 'Refused', kind: 'number', cell: ({ refusal_rate }) => trouble(refusal_rate) },
  { name: 'Errors', kind: 'number', cell: ({ error_rate }) => trouble(error_rate) },
  {
    name: 'p50 · p90',
    kind: 'number',
    cell: Times,
  },
  { name: 'Tokens out', kind: 'number', cell: ({ output_tokens }) => html`<${Count} value=${output_tokens} />` },
  {
    name: 'Cost per item',
    kind: 'number',
    cell: ({ cost }) => html`<${Cost} nano=${cost.per_item_nano_usd} usd=${cost.per_item_usd} reason=${cost.reason} />`,
  },
  {
    name: 'Per accepted answer',
    kind: 'number',
    cell: ({ cost }) =>
      html`<${Cost} nano=${cost.per_accepted_nano_usd} usd=${cost.per_accepted_usd} reason=${cost.reason} />`,
  },
];

/** How long answers took, and of how many that is known where it is not of all: others come from provider batches or a cache. */
function Times({ answered, latency_ms: { p50, p90, timed } }: EvalTargetFigures): VNode {
  if (p50 === null) return html`<span class="faint" title="no answer was timed">–</span>`;
  const of = `of ${formatCount(timed)} ${timed === 1 ? 'answer' : 'answers'}`;
  const untimed = Math.max(0, answered - timed);
  const title = untimed === 0 ? of : `${of}; ${formatCount(untimed)} ${untimed === 1 ? 'was' : 'were'} not timed`;
  return html`<span class="exact" title=${title}>${Math.round(p50)} · ${Math.round(p90 ?? 0)} ms</span>
    ${untimed === 0 ? null : html`<div class="cell-sub">${of}</div>`}`;
}

/** Money, or why it is not known; never zero in its place. */
function Cost({ nano, usd, reason }: { nano: number | null; usd: string | null; reason: string | null }): VNode {
  if (nano !== null) return html`<${Money} nano=${nano} usd=${usd} />`;
  return html`<span class="warn-text" title=${reason ?? ''}>not known</span>`;
}

function share(value: number | null): string {
  return value === null ? '–' : percent(value);
}

function trouble(value: number | null): VNode {
  return html`<span class=${(value ?? 0) > 0 ? 'bad-text' : 'faint'}>${share(value)}</span>`;
}

function range({ low, high }: EvalInterval): string {
  return low === null || high === null ? '' : `${percent(low)} to ${percent(high)}`;
}
