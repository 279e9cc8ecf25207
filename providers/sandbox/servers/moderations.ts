import type { Moderation, ModerationCreateResponse } from 'openai/resources/moderations';
import { type Answer, answerId, answerKey, isRecord, type Question } from './answer.ts';
import { mixNumbers } from './random.ts';

const CATEGORIES = [
  'harassment',
  'harassment/threatening',
  'hate',
  'hate/threatening',
  'illicit',
  'illicit/violent',
  'self-harm',
  'self-harm/instructions',
  'self-harm/intent',
  'sexual',
  'sexual/minors',
  'violence',
  'violence/graphic',
] as const satisfies readonly (keyof Moderation.Categories)[];
type Category = (typeof CATEGORIES)[number];

const VIOLENT_WORDS = /\b(?:attack|hurt|kill|murder)\b/i;

/** Answers /v1/moderations: low scores that depend on the input; words of violence flag it. */
export function answerModeration(question: Question): Answer {
  const object: ModerationCreateResponse = {
    id: answerId('modr-', question),
    model: question.model,
    results: listInputs(question.body.input).map((input, index) =>
      moderate(input, mixNumbers(answerKey(question), index)),
    ),
  };
  return { object, tokensIn: question.promptTokens, tokensOut: 0, cachedTokens: 0, finish: 'stop' };
}

/** A list of strings gets a result each; a string, or a list of multimodal parts, gets one. */
function listInputs(input: unknown): unknown[] {
  if (!Array.isArray(input)) return [input];
  return input.some(isRecord) ? [input] : input;
}

function moderate(input: unknown, key: number): Moderation {
  const violent = VIOLENT_WORDS.test(typeof input === 'string' ? input : JSON.stringify(input));
  const isFlagged = (category: Category) => violent && category === 'violence';
  const score = (category: Category, index: number) =>
    isFlagged(category) ? 0.95 : (mixNumbers(key, index) % 1000) / 1_000_000;
  return {
    flagged: violent,
    categories: byCategory(isFlagged),
    category_scores: byCategory(score),
    category_applied_input_types: byCategory((): 'text'[] => ['text']),
  };
}

function byCategory<Value>(read: (category: Category, index: number) => Value): Record<Category, Value> {
  const entries = CATEGORIES.map((category, index) => [category, read(category, index)]);
  return Object.fromEntries(entries) as Record<Category, Value>;
}
