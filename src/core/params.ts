import type { ParamRules } from './lane.ts';
import { type PathStep, parsePath } from './path.ts';

type Body = Record<string, unknown>;

/**
 * A request's body after a target's rules: defaults for members it lacks, then overrides (replacing whole members),
 * then drops. Never changes `body`; answers `body` itself when nothing applies.
 */
export function applyParams(body: Body, rules: ParamRules): Body {
  let changed = body;
  // Object spread defines own members, so a member named `__proto__` stays a member.
  const missing = Object.entries(rules.defaults).filter(([name]) => !Object.hasOwn(body, name));
  if (missing.length > 0) changed = { ...changed, ...Object.fromEntries(missing) };
  if (Object.keys(rules.overrides).length > 0) changed = { ...changed, ...rules.overrides };
  for (const path of rules.drops) {
    const steps = parsePath(path);
    if (steps !== null) changed = drop(changed, steps, 0) as Body;
  }
  return changed;
}

/** Whether the rules leave every body as it is. */
export function changesNothing({ defaults, overrides, drops }: ParamRules): boolean {
  for (const _ in defaults) return false;
  for (const _ in overrides) return false;
  return drops.length === 0;
}

/** `value` without what `steps` lead to, sharing all that stays; `value` itself when there is nothing there. */
function drop(value: unknown, steps: readonly PathStep[], depth: number): unknown {
  const step = steps[depth];
  if (step === undefined || value === null || typeof value !== 'object') return value;
  const last = depth === steps.length - 1;
  if (Array.isArray(value)) return dropFromList(value, step, last, steps, depth);
  if (step === '*' || !Object.hasOwn(value, step)) return value;
  const record = value as Record<PathStep, unknown>;
  if (last) {
    const { [step]: _dropped, ...rest } = record;
    return rest;
  }
  const inner = drop(record[step], steps, depth + 1);
  return inner === record[step] ? value : { ...record, [step]: inner };
}

function dropFromList(list: unknown[], step: PathStep, last: boolean, steps: readonly PathStep[], depth: number) {
  const index = step === '*' ? step : Number(step);
  if (last) {
    const rest = list.filter((_item, at) => index !== '*' && at !== index);
    return rest.length === list.length ? list : rest;
  }
  const mapped = list.map((item, at) => (index === '*' || at === index ? drop(item, steps, depth + 1) : item));
  return mapped.every((item, at) => item === list[at]) ? list : mapped;
}
