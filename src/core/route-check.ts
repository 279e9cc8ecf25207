import {
  REFUSED_ROUTE_FIELDS,
  type Rescue,
  ROUTE_DEPTH_MAX,
  ROUTE_NODES_MAX,
  type Route,
  routeSchema,
  type Strategy,
} from '../protocol/route.ts';
import { suggestion } from './close-names.ts';
import { compileQuery } from './conditions.ts';
import { HEALING_FIELDS } from './healing-rules.ts';
import { parsePath } from './path.ts';
import { type Checked, check, formatPath, type Path, type Problem } from './problems.ts';
import { limitProblems, misplacedLimits } from './route-limits.ts';
import { readAddress } from './target-address.ts';
import { durationSeconds } from './window.ts';

/**
 * Parses a routing config and names everything wrong with it at once. `providers` are the names that exist; null skips
 * that question.
 */
export function checkRoute(value: unknown, providers: ReadonlySet<string> | null, path: Path = []): Checked<Route> {
  // Before the recursive schema, so that nothing deep can exhaust the stack.
  if (isVast(value)) {
    const message = `is too large: at most ${VALUES_MAX} values, nested at most ${NESTING_MAX} deep, are allowed`;
    return { ok: false, problems: [{ path: formatPath(path), message }] };
  }
  const size = measure(value);
  if (size.depth > ROUTE_DEPTH_MAX || size.nodes > ROUTE_NODES_MAX) {
    const message = `is too large: at most ${ROUTE_DEPTH_MAX} levels and ${ROUTE_NODES_MAX} targets in all are allowed`;
    return { ok: false, problems: [{ path: formatPath(path), message }] };
  }
  const checked = check(routeSchema, value, path, REFUSED_ROUTE_FIELDS);
  if (!checked.ok) return checked;
  const problems: Problem[] = [];
  checkNode(checked.value, path, { providers, problems });
  if (checked.value.rescue !== undefined) checkRescue(checked.value.rescue, path, { providers, problems });
  return problems.length === 0 ? checked : { ok: false, problems };
}

const NESTING_MAX = 64;
const VALUES_MAX = 20_000;

/** Whether JSON is deeper or longer than any sensible config, found without recursion. */
function isVast(value: unknown): boolean {
  let level: unknown[] = [value];
  let seen = 0;
  for (let depth = 0; level.length > 0; depth += 1) {
    seen += level.length;
    if (depth > NESTING_MAX || seen > VALUES_MAX) return true;
    level = level.flatMap((item) => (item !== null && typeof item === 'object' ? Object.values(item) : []));
  }
  return false;
}

/** Levels and targets of the tree; counting stops soon after the limits. */
function measure(value: unknown): { depth: number; nodes: number } {
  let level: unknown[] = [value];
  let depth = 0;
  let nodes = 0;
  while (level.length > 0 && depth <= ROUTE_DEPTH_MAX && nodes <= ROUTE_NODES_MAX) {
    depth += 1;
    nodes += level.length;
    level = level.flatMap((node) => {
      const targets = node !== null && typeof node === 'object' ? (node as { targets?: unknown }).targets : null;
      return Array.isArray(targets) ? targets.slice(0, ROUTE_NODES_MAX + 1) : [];
    });
  }
  // The root is a level and a node of its own.
  return { depth, nodes: nodes - 1 };
}

interface Work {
  providers: ReadonlySet<string> | null;
  problems: Problem[];
}

function report(work: Work, path: Path, message: string): void {
  work.problems.push({ path: formatPath(path), message });
}

function checkNode(node: Route, path: Path, work: Work): void {
  checkDrops(node, path, work);
  checkHealing(node, path, work);
  if (node.strategy === undefined && node.targets === undefined) {
    checkLeaf(node, path, work);
    return;
  }
  if (node.strategy === undefined) {
    report(work, [...path, 'strategy'], 'is required beside `targets`; say which `mode` chooses among them');
    return;
  }
  if (node.targets === undefined) {
    report(work, [...path, 'targets'], 'is required beside `strategy`');
    return;
  }
  const misplaced = ['provider', 'model'].filter((field) => field in node);
  for (const field of [...misplaced, ...misplacedLimits(node)])
    report(work, [...path, field], 'belongs to a target, not beside `targets`; move it there');
  checkStrategy(node.strategy, node.targets, path, work);
  for (const [index, target] of node.targets.entries()) checkNode(target, [...path, 'targets', index], work);
}

const FIELDS_OF_MODE: Record<Strategy['mode'], readonly (keyof Strategy)[]> = {
  single: [],
  loadbalance: ['by'],
  fallback: ['on_status_codes'],
  conditional: ['conditions', 'default'],
};

function checkStrategy(strategy: Strategy, targets: readonly Route[], path: Path, work: Work): void {
  const at = [...path, 'strategy'];
  for (const field of ['by', 'on_status_codes', 'conditions', 'default'] as const) {
    if (strategy[field] === undefined || FIELDS_OF_MODE[strategy.mode].includes(field)) continue;
    const mode = Object.entries(FIELDS_OF_MODE).find(([, fields]) => fields.includes(field))?.[0];
    report(work, [...at, field], `belongs to mode ${mode}, not ${strategy.mode}; remove it or change the mode`);
  }
  if (strategy.mode === 'loadbalance') checkBalance(strategy, targets, path, work);
  if (strategy.mode === 'conditional') checkConditions(strategy, targets, at, work);
}

function checkBalance(strategy: Strategy, targets: readonly Route[], path: Path, work: Work): void {
  if (targets.every((target) => target.weight === 0)) {
    report(work, [...path, 'targets'], 'every weight is zero, so no target could be chosen; give one a weight above 0');
  }
  if (strategy.by !== 'capacity') return;
  for (const [index, target] of targets.entries()) {
    if (target.targets === undefined) continue;
    const message = 'targets that share by capacity cannot have targets of their own; name a provider here instead';
    report(work, [...path, 'targets', index, 'targets'], message);
  }
}

function checkConditions(strategy: Strategy, targets: readonly Route[], at: Path, work: Work): void {
  const names = targets.flatMap((target) => (target.name === undefined ? [] : [target.name]));
  const named = (name: string, path: Path) => {
    const count = names.filter((other) => other === name).length;
    if (count === 1) return;
    const message =
      count > 1 ? 'names more than one target; give them different names' : 'must be the `name` of one of the targets.';
    report(work, path, message + (count > 1 ? '' : suggestion(name, names)));
  };
  if (strategy.conditions === undefined) report(work, [...at, 'conditions'], 'is required in mode conditional');
  if (strategy.default === undefined) {
    report(work, [...at, 'default'], 'is required in mode conditional: the target for lines that match no condition');
  } else {
    named(strategy.default, [...at, 'default']);
  }
  for (const [index, condition] of (strategy.conditions ?? []).entries()) {
    compileQuery(condition.query, [...at, 'conditions', index, 'query'], work.problems);
    named(condition.then, [...at, 'conditions', index, 'then']);
  }
}

function checkLeaf(node: Route, path: Path, work: Work): void {
  work.problems.push(...limitProblems(node, path));
  const override = node.override_params?.model;
  if (override !== undefined && typeof override !== 'string') {
    report(work, [...path, 'override_params', 'model'], 'must be a string');
    return;
  }
  const { provider, model, spelledIn } = readAddress(node.provider, override ?? node.model);
  if (node.provider !== undefined && spelledIn === 'model' && provider !== node.provider.replace(/^@/, '')) {
    report(work, [...path, 'model'], 'names another provider than `provider`; remove one of the two');
    return;
  }
  if (model === '') report(work, [...path, 'model'], 'names a provider but no model; write `@provider/model`');
  if (provider === null || work.providers === null || work.providers.has(provider)) return;
  const field = spelledIn === 'model' && node.provider === undefined ? 'model' : 'provider';
  const known = [...work.providers];
  const hint = suggestion(provider, known) || ` Configured: ${known.slice(0, 20).join(', ') || 'none'}.`;
  report(work, [...path, field], `there is no provider '${provider.slice(0, 64)}'.${hint}`);
}

function checkRescue({ after, to }: Rescue, path: Path, work: Work): void {
  const at = [...path, 'rescue'];
  if (after === undefined && to === undefined) {
    report(work, at, 'says nothing: give `after`, when lines are called back, or `to`, where they go, or both');
  }
  if (after !== undefined && durationSeconds(after) === null) report(work, [...at, 'after'], 'must be at most 30d');
  const isList = Array.isArray(to);
  for (const [index, target] of rescueTargets({ to }).entries()) {
    const place = [...at, 'to', ...(isList ? [index] : [])];
    checkDrops(target, place, work);
    checkHealing(target, place, work);
    checkLeaf(target, place, work);
  }
}

/** The targets of a rescue, in order, however they were written. */
export function rescueTargets(rescue: Pick<Rescue, 'to'> | undefined): readonly Route[] {
  const to = rescue?.to ?? [];
  return Array.isArray(to) ? to : [to];
}

/** How to try again says nothing where nothing is tried again. */
function checkHealing(node: Route, path: Path, work: Work): void {
  for (const field of HEALING_FIELDS) {
    const rule = node[field];
    if (rule === undefined || typeof rule === 'string' || rule.action === 'retry') continue;
    for (const name of Object.keys(rule).filter((key) => key !== 'action')) {
      const message = `belongs to action retry, not ${rule.action}; remove it or change the action`;
      report(work, [...path, field, name], message);
    }
  }
}

function checkDrops(node: Route, path: Path, work: Work): void {
  for (const [index, drop] of (node.drop_params ?? []).entries()) {
    const steps = parsePath(drop);
    const at = [...path, 'drop_params', index];
    if (steps === null) report(work, at, 'is not a path; write `a.b`, `a[0].b` or `a[*].b`');
    else if (steps.length === 1 && steps[0] === 'model') report(work, at, '`model` cannot be dropped');
  }
}
