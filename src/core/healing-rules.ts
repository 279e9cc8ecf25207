import type { HealingInput, Route } from '../protocol/route.ts';
import type { AnswerLimit, HealingRule, HealingRules } from './lane.ts';

/** The field of a route for each cause, and where a retry goes first unless the rule says so. */
const CAUSES = [
  { cause: 'truncation', field: 'on_truncation', to: 'same' },
  { cause: 'invalid_json', field: 'on_invalid_json', to: 'same' },
  // The same model refuses the same request again more often than not.
  { cause: 'refusal', field: 'on_refusal', to: 'next' },
] as const satisfies readonly { cause: keyof HealingRules; field: keyof Route; to: HealingRule['to'] }[];

export const HEALING_FIELDS = CAUSES.map(({ field }) => field);

/** The rules that hold at a node: its own, cause by cause, over those from above. undefined when there are none. */
export function healingRules(node: Route, above: HealingRules | undefined): HealingRules | undefined {
  const rules: HealingRules = { ...above };
  for (const { cause, field, to } of CAUSES) {
    const stated: HealingInput | undefined = node[field];
    if (stated === undefined) continue;
    const rule = toRule(stated, to);
    if (rule === null) delete rules[cause];
    else rules[cause] = rule;
  }
  return Object.keys(rules).length === 0 ? undefined : rules;
}

/** The rules at a target whose answers have limits of their own. */
export function withLimit(rules: HealingRules, limit: AnswerLimit | null): HealingRules {
  return limit === null || rules.truncation === undefined
    ? rules
    : { ...rules, truncation: { ...rules.truncation, limit } };
}

function toRule(stated: HealingInput, to: HealingRule['to']): HealingRule | null {
  const rule = typeof stated === 'string' ? { action: stated } : stated;
  if (rule.action === 'accept') return null;
  return {
    action: rule.action,
    attempts: rule.attempts ?? 1,
    maxTokensFactor: rule.max_tokens_factor ?? 2,
    to: rule.to ?? to,
    otherwise: rule.otherwise ?? 'fail',
  };
}
