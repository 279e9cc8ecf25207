const BYTES_PER_TOKEN = 4;

/** What a request may use at most, before its answer: four bytes a token, and all the output that it allows. */
export function estimateTokens(body: Readonly<Record<string, unknown>>, bytes: number): number {
  const limit = body.max_completion_tokens ?? body.max_tokens ?? body.max_output_tokens;
  return Math.ceil(bytes / BYTES_PER_TOKEN) + (typeof limit === 'number' && limit > 0 ? limit : 0);
}
