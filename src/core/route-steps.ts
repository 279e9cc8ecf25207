import type { Endpoint } from '../protocol/endpoint.ts';
import type { Route } from '../protocol/route.ts';
import { compileQuery, type Query } from './conditions.ts';
import { type Failure, refusal } from './failure.ts';
import { healingRules, withLimit } from './healing-rules.ts';
import type { Candidate, HealingRules, ParamRules, RetryRule } from './lane.ts';
import type { ModelNames, TargetResolution } from './model-names.ts';
import { rescueTargets } from './route-check.ts';
import { targetLimits } from './route-limits.ts';
import { readAddress } from './target-address.ts';
import { durationSeconds } from './window.ts';

/** What a route comes down to for one model and endpoint; targets that cannot take part are already gone. */
export type Step =
  | { kind: 'target'; candidate: Candidate }
  | { kind: 'chain'; steps: readonly Step[]; enterOn: 'any' | readonly number[] }
  | Balance
  | { kind: 'choose'; cases: readonly { test: Query; step: Step }[]; otherwise: Step }
  /** At the root only: `first`, and where its lines go after trouble; `afterSeconds` after the batch's creation. */
  | { kind: 'rescue'; first: Step; spares: readonly Step[]; afterSeconds: number | null }
  | { kind: 'refuse'; failure: Failure };

export interface Balance {
  kind: 'balance';
  by: 'requests' | 'capacity' | 'tokens';
  /** Names the node and who takes part, so that picks are counted together wherever the same ones take part. */
  counter: string;
  members: readonly { weight: number; step: Step }[];
  /** Indexes of `members`, heaviest first. */
  byWeight: readonly number[];
}

export const DEFAULT_RETRY: RetryRule = {
  attempts: 3,
  onStatusCodes: [408, 409, 424, 429, 498, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529],
  useRetryAfter: true,
};

/** Portkey keeps answers for a week where the route does not say. */
const CACHE_SECONDS_DEFAULT = 7 * 86_400;

/** What a node passes down: the nearest retry, timeout and mode; parameters merged on the way. */
interface Inherited {
  retry: RetryRule;
  requestTimeoutMs: number | null;
  mode: Candidate['mode'];
  params: ParamRules;
  healing?: HealingRules;
  cache?: { maxAgeSeconds: number };
}

/** What holds at one target. */
type TargetRules = Inherited & Pick<Candidate, 'limits' | 'schedule'>;

const ROOT: Inherited = {
  retry: DEFAULT_RETRY,
  requestTimeoutMs: null,
  mode: 'auto',
  params: { defaults: {}, overrides: {}, drops: [] },
};

interface Work {
  names: ModelNames;
  /** The line's own model, for targets that name none. */
  model: string;
  endpoint: Endpoint;
}

/** Prepares `route` for the lines of one model and endpoint. `id` names the route among those of the batch. */
export function compileRoute(route: Route, id: string, work: Work): Step {
  const first = compileNode(route, id, ROOT, work);
  const { rescue } = route;
  if (rescue === undefined || first.kind === 'refuse') return first;
  const inherited: Inherited = { ...inherit(route, ROOT), mode: 'immediate' };
  const spares = rescueTargets(rescue)
    .map((target) => compileLeaf(target, inherit(target, inherited), work))
    .filter((step) => step.kind !== 'refuse');
  return { kind: 'rescue', first, spares, afterSeconds: durationSeconds(rescue.after ?? '') };
}

/** The step of a line that goes to one target without a route. */
export function compileTarget(resolution: TargetResolution, work: Work): Step {
  return compileResolution(resolution, ROOT, 1, work);
}

/** Whether the lanes of `route` depend on the bodies of lines beyond their `model`. */
export function routeNeedsBody(route: Route): boolean {
  const conditions = route.strategy?.conditions ?? [];
  if (conditions.some((condition) => compileQuery(condition.query, [], []).needsBody)) return true;
  return (route.targets ?? []).some(routeNeedsBody);
}

/** Whether the lanes of `route` depend on what its targets' names mean, because a target names no provider. */
export function routeLeavesProviderOpen(route: Route): boolean {
  if (rescueTargets(route.rescue).some(routeLeavesProviderOpen)) return true;
  if (route.targets !== undefined) return route.targets.some(routeLeavesProviderOpen);
  return addressOf(route).provider === null;
}

function addressOf(node: Route) {
  const override = node.override_params?.model;
  return readAddress(node.provider, typeof override === 'string' ? override : node.model);
}

function compileNode(node: Route, id: string, above: Inherited, work: Work): Step {
  const inherited = inherit(node, above);
  const { strategy, targets } = node;
  if (strategy === undefined || targets === undefined) return compileLeaf(node, inherited, work);
  const steps = targets.map((target, index) => compileNode(target, `${id}/${index}`, inherited, work));
  switch (strategy.mode) {
    case 'single':
      return steps[0]!;
    case 'fallback':
      return orRefusal(steps, (left) => ({ kind: 'chain', steps: left, enterOn: strategy.on_status_codes ?? 'any' }));
    case 'loadbalance':
      return compileBalance(node, id, steps);
    case 'conditional': {
      const named = (name: string | undefined) => steps[targets.findIndex((target) => target.name === name)]!;
      const cases = (strategy.conditions ?? []).map((condition) => ({
        test: compileQuery(condition.query, [], []).test,
        step: named(condition.then),
      }));
      return { kind: 'choose', cases, otherwise: named(strategy.default) };
    }
    default:
      return strategy.mode satisfies never;
  }
}

function compileBalance(node: Route, id: string, steps: readonly Step[]): Step {
  const weighted = steps.flatMap((step, index) => {
    const weight = node.targets?.[index]?.weight ?? 1;
    return weight > 0 ? [{ weight, step, index }] : [];
  });
  const able = weighted.filter(({ step }) => step.kind !== 'refuse');
  if (able.length === 0) return weighted[0]!.step;
  return {
    kind: 'balance',
    by: node.strategy?.by ?? 'requests',
    counter: `${id}:${able.map(({ index }) => index).join(',')}`,
    members: able.map(({ weight, step }) => ({ weight, step })),
    byWeight: able.map((_member, index) => index).sort((left, right) => able[right]!.weight - able[left]!.weight),
  };
}

/** `make` of the steps that can run; the first refusal when there is none. */
function orRefusal(steps: readonly Step[], make: (left: readonly Step[]) => Step): Step {
  const able = steps.filter((step) => step.kind !== 'refuse');
  return able.length === 0 ? steps[0]! : make(able);
}

function compileLeaf(node: Route, inherited: Inherited, work: Work): Step {
  const { provider, model } = addressOf(node);
  const named = model ?? work.model;
  const resolution: TargetResolution =
    provider === null ? work.names.resolveTarget(named) : { kind: 'target', provider, model: named };
  // The model travels as the target's model, not as a parameter.
  const { model: _defaultModel, ...defaults } = inherited.params.defaults;
  const { model: _overrideModel, ...overrides } = inherited.params.overrides;
  const params = { ...inherited.params, defaults, overrides };
  return compileResolution(resolution, { ...inherited, params, ...targetLimits(node) }, node.weight ?? 1, work);
}

function compileResolution(resolution: TargetResolution, rules: TargetRules, weight: number, work: Work): Step {
  if (resolution.kind === 'refuse') return resolution;
  const { provider, model } = resolution;
  const endpoints = work.names.endpointsOf(provider);
  if (endpoints === undefined) {
    const message = `The route names the provider '${provider}', which is not configured any more.`;
    return { kind: 'refuse', failure: refusal('unsupported', 'provider_not_found', message, 'model') };
  }
  if (!endpoints.includes(work.endpoint)) {
    const message =
      `The provider '${provider}' does not serve ${work.endpoint}, only ${endpoints.join(', ')}. ` +
      'Send these lines to another provider or route.';
    return { kind: 'refuse', failure: refusal('unsupported', 'endpoint_unsupported', message, 'url') };
  }
  const healing = rules.healing && withLimit(rules.healing, work.names.answerLimitOf(resolution));
  return {
    kind: 'target',
    candidate: { provider, model, weight, enterOn: 'any', ...rules, ...(healing && { healing }) },
  };
}

function inherit(node: Route, above: Inherited): Inherited {
  const healing = healingRules(node, above.healing);
  return {
    ...(healing !== undefined && { healing }),
    ...inheritedCache(node, above),
    retry: node.retry === undefined ? above.retry : toRetryRule(node.retry),
    requestTimeoutMs: node.request_timeout ?? above.requestTimeoutMs,
    mode: node.mode ?? above.mode,
    params: {
      defaults: { ...above.params.defaults, ...node.default_params },
      overrides: { ...above.params.overrides, ...node.override_params },
      drops: [...new Set([...above.params.drops, ...(node.drop_params ?? [])])],
    },
  };
}

/** The nearest `cache` counts. */
function inheritedCache(node: Route, above: Inherited): Pick<Inherited, 'cache'> {
  if (node.cache !== undefined) return { cache: { maxAgeSeconds: node.cache.max_age ?? CACHE_SECONDS_DEFAULT } };
  return above.cache === undefined ? {} : { cache: above.cache };
}

function toRetryRule(retry: NonNullable<Route['retry']>): RetryRule {
  return {
    attempts: retry.attempts ?? DEFAULT_RETRY.attempts,
    onStatusCodes: retry.on_status_codes ?? DEFAULT_RETRY.onStatusCodes,
    useRetryAfter: retry.use_retry_after_header ?? DEFAULT_RETRY.useRetryAfter,
  };
}
