import type { RequestLine } from '../protocol/request-line.ts';

const BYTES_PER_TOKEN = 4;
/** The members of a body that limit its answer: the first that is given counts. */
export const OUTPUT_LIMITS: readonly string[] = ['max_completion_tokens', 'max_tokens', 'max_output_tokens'];

/** OpenAI's bound for `n`. */
const CHOICES_MAX = 128;

type Body = Readonly<Record<string, unknown>>;

/** What a request may use at most, before its answer: four bytes a token, and all the output that it allows. */
export function estimateTokens(body: Body, bytes: number): number {
  return inputTokens(bytes) + statedOutputLimit(body);
}

/** The same of a line of an input file, whose body need not be parsed for it. */
export function estimateLineTokens(request: RequestLine, bytes: number): number {
  return inputTokens(bytes) + (request.outline?.outputLimit ?? statedOutputLimit(request.body));
}

function inputTokens(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

/** The output tokens that a request allows, in all its answers; 0 when it does not say. */
export function statedOutputLimit(body: Body): number {
  for (const name of OUTPUT_LIMITS) {
    const limit = body[name];
    if (limit !== undefined && limit !== null)
      return typeof limit === 'number' && limit > 0 ? limit * answersAsked(body) : 0;
  }
  return 0;
}

/**
 * How many answers a request has written for it, each as long as its limit allows: `n`, or `best_of` which of them are
 * chosen from, for each of a completion's prompts (OpenAI API reference, /v1/chat/completions and /v1/completions).
 */
export function answersAsked({ n, best_of: bestOf, prompt }: Body): number {
  const prompts = Array.isArray(prompt) && typeof prompt[0] !== 'number' ? Math.max(1, prompt.length) : 1;
  return prompts * Math.max(choices(n), choices(bestOf));
}

function choices(count: unknown): number {
  return typeof count === 'number' && Number.isInteger(count) && count > 0 ? Math.min(count, CHOICES_MAX) : 1;
}
