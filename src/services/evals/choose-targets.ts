import { ApiError } from '../../core/api-error.ts';
import { canonicalJson } from '../../core/canonical-json.ts';
import { chooseTargets } from '../../core/eval/choose.ts';
import type { ModelNames } from '../../core/model-names.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { EvalTargetRow, EvalTargetSpec } from '../../ports/store-evals.ts';
import type { EvalChoice, EvalChoiceCreate } from '../../protocol/eval-choice.ts';
import type { Route } from '../../protocol/route.ts';
import { resolveFor } from '../models/resolve.ts';
import { putRoute } from '../routes/put.ts';
import { resolveRoute } from '../routes/resolve.ts';
import { validateRoute } from '../routes/validate.ts';
import { compareRun } from './compare-run.ts';
import { fetchRun, type RunPath } from './fetch-run.ts';

/**
 * Proposes weights for the targets of a run that has ended, with the reasons and as a route; stores that route when asked
 * to. Throws 404, 409 for a run that still runs, and 409 when there is nothing to store.
 */
export async function chooseRunTargets(
  deps: Deps,
  context: Context,
  path: RunPath,
  input: EvalChoiceCreate,
): Promise<EvalChoice> {
  const { apply_to: name, ...rules } = input;
  const { run, targets } = await fetchRun(deps, context, path);
  if (run.status === 'queued' || run.status === 'in_progress') {
    throw new ApiError(409, 'This run is not completed yet. Choose when it is.', { code: 'run_in_progress' });
  }
  // Weights rest on pass rates and costs, whose figures need no resamples.
  const comparison = await compareRun(deps, context, path, { seed: 0, resamples: 1 });
  const chosen = chooseTargets(comparison.targets, rules);
  const shares = chosen.targets.flatMap(({ target, weight }) => {
    const row = targets.find((each) => each.name === target);
    return row === undefined || weight === 0 ? [] : [{ row, weight }];
  });
  const common = commonParams(targets.map(({ spec }) => spec));
  const { route, problem } = await routeOf(deps, context, shares, common);
  if (name !== undefined) {
    if (route === null) {
      throw new ApiError(409, `Nothing is stored: ${problem ?? chosen.reasoning.at(-1)}`, { code: 'no_choice' });
    }
    await putRoute(deps, context, { name, config: route });
  }
  return {
    object: 'eval.choice',
    eval_id: path.evalId,
    run_id: path.runId,
    ...rules,
    ...chosen,
    reasoning: problem === null ? chosen.reasoning : [...chosen.reasoning, problem],
    route,
    applied_to: name ?? null,
  };
}

interface Share {
  row: EvalTargetRow;
  weight: number;
}

/** The proposal as a route, or the sentence that says why it cannot be one. */
async function routeOf(
  deps: Deps,
  context: Context,
  shares: readonly Share[],
  common: ReadonlySet<string>,
): Promise<{ route: Route | null; problem: string | null }> {
  if (shares.length === 0) return { route: null, problem: null };
  const models = shares.flatMap(({ row }) => row.spec.model ?? []);
  const { tenantId } = context.actor;
  const { names } = await resolveFor(deps, { tenantId, batchRoute: null, metadata: null, models });
  const nodes: Route[] = [];
  for (const { row, weight } of shares) {
    const node = await nodeOf(deps, context, names, withoutParams(row.spec, common));
    if (node === null)
      return { route: null, problem: `'${row.name}' is no model that can be reached now, so there is no route.` };
    nodes.push({ ...node, name: undefined, weight });
  }
  const prompts = new Set(shares.map(({ row }) => JSON.stringify(row.spec.input_messages ?? null)));
  const problem =
    prompts.size > 1
      ? 'The targets were asked with different prompts; a route does not change prompts, so send those yourself.'
      : null;
  const route = { strategy: { mode: 'loadbalance' as const }, targets: nodes };
  return { route: validateRoute(deps, JSON.parse(JSON.stringify(route))), problem };
}

/** Parameters that all targets were asked with: those of the requests, which a route leaves to them. */
function commonParams(specs: readonly EvalTargetSpec[]): ReadonlySet<string> {
  const [first, ...others] = specs.map(({ sampling_params }) => sampling_params ?? {});
  const names = Object.entries(first ?? {}).flatMap(([name, value]) =>
    others.every((params) => canonicalJson(params[name]) === canonicalJson(value)) ? [name] : [],
  );
  return new Set(names);
}

function withoutParams(spec: EvalTargetSpec, names: ReadonlySet<string>): EvalTargetSpec {
  const params = Object.entries(spec.sampling_params ?? {}).filter(([name]) => !names.has(name));
  return { ...spec, sampling_params: Object.fromEntries(params) };
}

/** A target as a node of a route: its own route without what belongs at the top, or one provider's model. */
async function nodeOf(deps: Deps, context: Context, names: ModelNames, spec: EvalTargetSpec): Promise<Route | null> {
  const params = spec.sampling_params ?? {};
  const override = Object.keys(params).length === 0 ? {} : { override_params: params };
  if (spec.config !== undefined) {
    const { route } = await resolveRoute(deps, context.actor, spec.config);
    return { ...route, rescue: undefined, ...override };
  }
  const found = names.resolve(spec.model ?? '');
  if (found.kind === 'refuse') return null;
  if (found.kind === 'route') return { ...found.route, rescue: undefined, ...override };
  return { provider: found.provider, model: found.model, ...override };
}
