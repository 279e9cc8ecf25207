import { type BatchResult, ProviderError } from '../../../providers/contract.ts';

/** Failures of downloads that brought something else than what the provider holds. */
const OTHER_CONTENT_CODES: ReadonlySet<string> = new Set(['damaged_download', 'file_changed']);

/**
 * The answers that come before reading them fails, as they are what the provider holds; `reading` has the failure then.
 * Rejects with it where what came is not to be trusted.
 */
export async function* untilFailure(
  answers: AsyncIterable<BatchResult>,
  reading: { failure: ProviderError | null },
): AsyncGenerator<BatchResult> {
  try {
    yield* answers;
  } catch (error) {
    if (!(error instanceof ProviderError) || OTHER_CONTENT_CODES.has(error.failure.code)) throw error;
    reading.failure = error;
  }
}
