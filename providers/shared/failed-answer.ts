import type { Failed, Result } from '../contract.ts';

/** What of an answer matters here. */
type Answer = Pick<Result, 'ok' | 'usage' | 'rawUsage'>;

/**
 * The failure of a row that has an answer beside it: the answer is not to be trusted, but it was made, and what it used is
 * billed. `answer`: what the rest of the row says; null where there is nothing.
 */
export function withAnswer(failed: Failed, answer: Answer | null): Failed {
  if (answer === null || (answer.usage === null && !answer.ok)) return failed;
  const { usage, rawUsage } = answer;
  // Of an answer that does not say what it used, nobody can say that it was free.
  const status = usage === null ? 200 : (failed.failure.status ?? 200);
  return { ...failed, failure: { ...failed.failure, status, reachedProvider: true }, usage, rawUsage };
}
