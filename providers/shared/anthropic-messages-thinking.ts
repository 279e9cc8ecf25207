import { type ClaudeFamily, type Effort, efforts } from './anthropic-messages-families.ts';
import { type Fields, type Mapping, refuse, refuseInvalid, warn } from './anthropic-messages-mapping.ts';
import { isFields } from './error-body.ts';

/** Tokens of thinking for families that take a budget; the smallest that Anthropic accepts is 1,024. */
const budgets: Readonly<Record<string, number>> = {
  minimal: 1024,
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 24_576,
  max: 32_768,
};
const smallestBudget = 1024;

interface Thinking {
  thinking?: Fields;
  effort?: Effort;
}

/** `reasoning_effort`, or Anthropic's own `thinking` as it came, for a family of models. */
export function thinkingOf(body: Fields, maxTokens: number, mapping: Mapping): Thinking {
  const { family } = mapping.options;
  const effort = body.reasoning_effort ?? undefined;
  const own = body.thinking ?? undefined;
  if (own !== undefined) {
    if (!isFields(own)) return refuseInvalid('thinking', `'thinking' must be an object.`);
    if (effort !== undefined) return refuse('reasoning_effort', `Give 'thinking' or 'reasoning_effort', not both.`);
    return { thinking: own };
  }
  if (effort === undefined) return {};
  if (effort === 'none') return withoutThinking(family);
  if (typeof effort !== 'string' || !Object.hasOwn(budgets, effort)) {
    return refuseInvalid(
      'reasoning_effort',
      `'reasoning_effort' must be one of none, ${Object.keys(budgets).join(', ')}.`,
    );
  }
  if (family.thinking === 'none') return refuse('reasoning_effort', `${family.name} does not reason.`);
  const word = nearestEffort(effort, mapping);
  const stated = word === null ? {} : { effort: word };
  if (family.thinking !== 'budget') return { thinking: { type: 'adaptive' }, ...stated };
  return { thinking: { type: 'enabled', budget_tokens: budgetOf(effort, maxTokens) }, ...stated };
}

function withoutThinking(family: ClaudeFamily): Thinking {
  if (family.thinking === 'fixed')
    return refuse('reasoning_effort', `${family.name} always reasons; 'none' is not possible.`);
  // Families with a budget think only when they are asked to; some adaptive ones think unless they are told not to.
  return family.thinking === 'adaptive' ? { thinking: { type: 'disabled' } } : {};
}

/** The strongest of the family's words that is no stronger than asked, else its weakest; null when it has none. */
function nearestEffort(asked: string, mapping: Mapping): Effort | null {
  const { family } = mapping.options;
  const level = efforts.indexOf(asked as Effort);
  const word = family.efforts.findLast((known) => efforts.indexOf(known) <= level) ?? family.efforts[0];
  if (word === undefined) return null;
  if (word !== asked)
    warn(mapping, `reasoning_effort ${asked} was sent as ${word}: ${family.name} does not know ${asked}`);
  return word;
}

/** The budget is a part of max_tokens: at least a fifth is left for the answer. */
function budgetOf(effort: string, maxTokens: number): number {
  const budget = Math.min(budgets[effort] ?? smallestBudget, Math.floor(maxTokens * 0.8));
  if (budget >= smallestBudget) return budget;
  const enough = Math.ceil(smallestBudget / 0.8);
  return refuse(
    'reasoning_effort',
    `Reasoning needs max_completion_tokens of at least ${enough}; there are ${maxTokens}.`,
  );
}
