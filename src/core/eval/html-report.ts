import type { EvalComparedItem, EvalComparedOutput } from '../../protocol/eval-compared-item.ts';
import type { EvalComparison, EvalInterval, EvalPair, EvalTargetFigures } from '../../protocol/eval-comparison.ts';
import { pointsText, probabilityText } from './figure-text.ts';
import { frontierPlot, histogram } from './html-plots.ts';
import { REPORT_STYLE } from './html-style.ts';
import { html, Markup } from './html-text.ts';
import { labelOfItem } from './item-label.ts';

export interface ReportSource {
  /** Of the eval, and of the run. */
  title: string;
  /** When, with what: as it is to be read. */
  subtitle: string;
  comparison: EvalComparison;
  /** The items to show side by side; `comparison.differing.count` says how many there are. */
  items: readonly EvalComparedItem[];
}

const TEXT_SHOWN = 4_000;

/** A comparison as one HTML file: no scripts, nothing loaded from elsewhere, every text escaped; light and dark. */
export function htmlReport(source: ReportSource): string {
  const { comparison } = source;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${source.title}</title>
<style>${new Markup(REPORT_STYLE)}</style>
</head>
<body>
<main>
<header><h1>${source.title}</h1><p class="soft">${source.subtitle}</p></header>
${targetsTable(comparison)}
<section><h2>Quality and cost</h2>${frontierPlot(comparison)}</section>
<section><h2>Scores</h2><div class="grid">${comparison.targets.map((target) => histogram(target, comparison.score_range))}</div></section>
${comparison.pairs.length === 0 ? null : pairsTable(comparison.pairs)}
${differing(source)}
<footer class="soft">${aboutIntervals(comparison)}</footer>
</main>
</body>
</html>
`.text;
}

function targetsTable({ targets, items }: EvalComparison): Markup {
  return html`<section><h2>${targets.length} targets, ${items} items</h2><div class="scroll" tabindex="0" role="region" aria-label="Figures of the targets"><table>
<thead><tr><th scope="col">Target</th><th scope="col" class="number">Pass rate</th><th scope="col" class="number">Score</th><th scope="col" class="number">Valid</th><th scope="col" class="number">Truncated</th><th scope="col" class="number">Refused</th><th scope="col" class="number">Errors</th><th scope="col" class="number">p50</th><th scope="col" class="number">p90</th><th scope="col" class="number">Tokens in</th><th scope="col" class="number">Tokens out</th><th scope="col" class="number">USD an item</th><th scope="col" class="number">USD an accepted answer</th></tr></thead>
<tbody>${targets.map(targetRow)}</tbody></table></div></section>`;
}

function targetRow(figures: EvalTargetFigures): Markup {
  const { cost, latency_ms } = figures;
  return html`<tr><th scope="row">${figures.target}${figures.on_frontier ? html` <span class="badge">frontier</span>` : null}</th>
<td class="number">${percent(figures.pass_rate.value)}<div class="soft">${range(figures.pass_rate, percent)}</div></td>
<td class="number">${decimal(figures.score.value)}<div class="soft">${range(figures.score, decimal)}</div></td>
<td class="number">${percent(figures.valid_rate)}</td><td class="number">${percent(figures.truncation_rate)}</td><td class="number">${percent(figures.refusal_rate)}</td><td class="number">${percent(figures.error_rate)}</td>
<td class="number">${milliseconds(latency_ms.p50)}${timedOf(figures)}</td><td class="number">${milliseconds(latency_ms.p90)}</td>
<td class="number">${figures.input_tokens}</td><td class="number">${figures.output_tokens}</td>
<td class="number">${cost.per_item_usd ?? unknown(cost.reason)}</td><td class="number">${cost.per_accepted_usd ?? unknown(cost.reason)}</td></tr>`;
}

/** Answers of provider batches and of the cache have no time of their own. */
function timedOf({ latency_ms: { timed }, answered }: EvalTargetFigures): Markup | null {
  return timed === 0 || timed >= answered ? null : html`<div class="soft">of ${timed} answers</div>`;
}

function unknown(reason: string | null): Markup {
  return html`<span class="warn">not known</span><div class="soft reason">${reason}</div>`;
}

function pairsTable(pairs: readonly EvalPair[]): Markup {
  return html`<section><h2>In pairs</h2><div class="scroll" tabindex="0" role="region" aria-label="Targets in pairs"><table>
<thead><tr><th scope="col">Targets</th><th scope="col" class="number">Difference of pass rates</th><th scope="col" class="number">Only the first passed</th><th scope="col" class="number">Only the second passed</th><th scope="col" class="number">p (exact)</th><th scope="col" class="number">Agreement</th><th scope="col" class="number">Kappa</th></tr></thead>
<tbody>${pairs.map(
    (pair) => html`<tr><th scope="row">${pair.a} <span class="soft">against</span> ${pair.b}</th>
<td class="number">${pointsText(pair.pass_rate_difference.value)}<div class="soft">${range(pair.pass_rate_difference, pointsText)}</div></td>
<td class="number">${pair.only_a_passed}</td><td class="number">${pair.only_b_passed}</td><td class="number">${probabilityText(pair.p_value)}</td>
<td class="number">${percent(pair.agreement)}</td><td class="number">${decimal(pair.kappa)}</td></tr>`,
  )}</tbody></table></div></section>`;
}

function differing({ comparison, items }: ReportSource): Markup {
  const { count } = comparison.differing;
  if (comparison.targets.length < 2) return html``;
  const note = count > items.length ? `The first ${items.length} of ${count}.` : null;
  return html`<section><h2>Items on which they differ: ${count}</h2>${note === null ? null : html`<p class="soft">${note}</p>`}${items.map(itemDetails)}</section>`;
}

function itemDetails(item: EvalComparedItem): Markup {
  const passed = item.outputs.filter(({ status }) => status === 'pass').map(({ target }) => target);
  return html`<details><summary>${labelOfItem(item)} <span class="soft">passed by ${passed.join(', ') || 'none'}</span></summary>
<pre>${cut(JSON.stringify(item.datasource_item, null, 2))}</pre>
<div class="grid">${item.outputs.map(outputCard)}</div></details>`;
}

function outputCard(output: EvalComparedOutput): Markup {
  const word = output.status === 'pass' ? 'good' : output.status === 'fail' ? 'bad' : 'warn';
  return html`<article><h3>${output.target} <span class="${word}">${output.status}</span></h3>
<p class="soft">${[
    ...output.grades.map(({ name, score, error }) => `${name}: ${error ?? score ?? 'no score'}`),
    ...(output.cost_usd === null ? [] : [`$${output.cost_usd}`]),
    ...(output.latency_ms === null ? [] : [milliseconds(output.latency_ms)]),
  ].join(' · ')}</p>
<pre>${output.text === null ? (output.error?.message ?? 'no answer') : cut(output.text)}</pre></article>`;
}

function aboutIntervals({ intervals, status }: EvalComparison): string {
  const { confidence, resamples, seed } = intervals;
  const unfinished = status === 'completed' ? '' : ` The run is ${status}: these are the items graded so far.`;
  return `Intervals hold the true figure ${Math.round(confidence * 100)} times of 100: Wilson's for pass rates, a paired bootstrap of ${resamples} resamples with seed ${seed} for the others.${unfinished}`;
}

function cut(text: string): string {
  return text.length <= TEXT_SHOWN ? text : `${text.slice(0, TEXT_SHOWN)}…`;
}

function range({ low, high }: EvalInterval, write: (value: number | null) => string): string {
  return low === null || high === null ? '' : `${write(low)} to ${write(high)}`;
}

export function percent(value: number | null): string {
  return value === null ? '–' : `${(value * 100).toFixed(1)} %`;
}

function decimal(value: number | null): string {
  return value === null ? '–' : value.toFixed(3);
}

function milliseconds(value: number | null): string {
  return value === null ? '–' : `${Math.round(value)} ms`;
}
