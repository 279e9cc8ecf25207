import type { VNode } from 'preact';
import type { EvalObject } from '../../../protocol/eval.ts';
import type { EvalRunObject } from '../../../protocol/eval-run.ts';
import type { Page } from '../../../protocol/page.ts';
import { html } from '../html.ts';
import { Copy } from '../parts/controls.ts';
import { Answer, Empty } from '../parts/states.ts';
import { useQuery } from '../query.ts';
import { hrefOf, query } from '../router.ts';
import { Comparison } from './eval/comparison.ts';
import { Items } from './eval/items.ts';
import { Regression } from './eval/regression.ts';
import { hasEnded, Runs } from './eval/runs.ts';

const RUNS_SHOWN = 50;
const RUNNING_MS = 3_000;
const ENDED_MS = 30_000;

/** One eval: its runs over time, and the targets of one run compared. */
export function Eval({ id }: { id: string }): VNode {
  const path = `/v1/evals/${encodeURIComponent(id)}`;
  const found = useQuery<EvalObject>(path);
  const known = useQuery<Page<EvalRunObject>>(`${path}/runs?order=desc&limit=${RUNS_SHOWN}`);
  const isRunning = known.data?.data.some((run) => !hasEnded(run)) ?? false;
  const runs = useQuery<Page<EvalRunObject>>(`${path}/runs?order=desc&limit=${RUNS_SHOWN}`, {
    everyMs: isRunning ? RUNNING_MS : ENDED_MS,
  });
  return html`<div class="page">
    <${Answer} query=${found} what="the eval" lines=${2}>${(one: EvalObject) => html`<div class="page-head"><div>
      <p class="small"><a href=${hrefOf('/evals')}>Evals</a></p>
      <h1 tabindex="-1">${one.name}</h1>
      <p class="small soft">Graded by ${one.testing_criteria.map(({ name }) => name).join(', ')} · <span class="mono">${one.id}</span> <${Copy} text=${one.id} what="the eval's id" /></p>
    </div></div>`}</${Answer}>
    <${Answer} query=${runs} what="runs" lines=${6}>${(page: Page<EvalRunObject>) =>
      page.data.length === 0
        ? html`<${Empty} title="No runs yet"><p>A run asks one or more targets all items, and grades their answers.</p></${Empty}>`
        : html`<${OfRuns} path=${path} runs=${page.data} />`}</${Answer}>
  </div>`;
}

function OfRuns({ path, runs }: { path: string; runs: readonly EvalRunObject[] }): VNode {
  const asked = query.value.get('run');
  const shown = runs.find(({ id }) => id === asked) ?? runs[0];
  return html`${runs.length > 1 ? html`<${Regression} runs=${runs} />` : null}
    <${Runs} runs=${runs} shown=${shown?.id ?? null} />
    ${
      shown === undefined
        ? null
        : html`<${Comparison} key=${shown.id} path=${`${path}/runs/${shown.id}`} run=${shown} />
      <${Items} key=${`items-${shown.id}`} path=${`${path}/runs/${shown.id}`} run=${shown} />`
    }`;
}
