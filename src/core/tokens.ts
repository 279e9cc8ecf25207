import type { RequestLine } from '../protocol/request-line.ts';

const BYTES_PER_TOKEN = 4;

type Body = Readonly<Record<string, unknown>>;

/** What a request may use at most, before its answer: four bytes a token, and all the output that it allows. */
export function estimateTokens(body: Body, bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN) + statedOutputLimit(body);
}

/** The same of a line of an input file, whose body need not be parsed for it. */
export function estimateLineTokens(request: RequestLine, bytes: number): number {
  const { outline } = request;
  if (outline === undefined) return estimateTokens(request.body, bytes);
  return Math.ceil(bytes / BYTES_PER_TOKEN) + outline.outputLimit;
}

/** The output tokens that a request allows; 0 when it does not say. */
export function statedOutputLimit(body: Body): number {
  const limit = body.max_completion_tokens ?? body.max_tokens ?? body.max_output_tokens;
  return typeof limit === 'number' && limit > 0 ? limit : 0;
}
