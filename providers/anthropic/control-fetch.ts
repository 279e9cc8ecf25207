import { HttpFailure } from '../../src/ports/http-client.ts';
import { type BatchCall, ProviderError } from '../contract.ts';
import type { AnswerContext } from '../shared/answer.ts';
import { redirectPolicy, toFailure } from '../shared/http-fetch.ts';
import { badResponse, failureOfCall } from '../shared/openai-status.ts';

/**
 * The call's fetch with its bounds: no redirect is followed, as it would carry the credential along; the whole exchange has a
 * deadline, and the answer a largest size.
 */
export function guardedFetch(call: BatchCall): typeof fetch {
  return async (input, init = {}) => {
    const signals = [init.signal, call.signal, AbortSignal.timeout(call.timeoutMs)].filter((signal) => signal != null);
    const bounds = { ...redirectPolicy(init), signal: AbortSignal.any(signals) };
    const response = await call.fetch(input, { ...init, ...bounds });
    if (response.body === null) return response;
    const { status, statusText, headers } = response;
    return new Response(response.body.pipeThrough(bounded(call.maxResponseBytes)), { status, statusText, headers });
  };
}

function bounded(most: number): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.length;
      if (bytes > most) throw new HttpFailure('too_large', true, `the answer is larger than ${most} bytes`);
      controller.enqueue(chunk);
    },
  });
}

/** What a call without an answer rejects with. */
export function providerErrorOf(error: unknown, call: BatchCall, context: AnswerContext): ProviderError {
  if (error instanceof ProviderError) return error;
  if (causesOf(error).some(({ message }) => message === 'unexpected redirect')) {
    const message = `${context.provider} answered with a redirect, which is not followed.`;
    return new ProviderError(badResponse(307, message, 'redirect_refused'));
  }
  return new ProviderError(failureOfCall(toHttpFailure(error, call), context));
}

/** An error and what caused it, outermost first. */
function causesOf(error: unknown): Error[] {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error && causes.length < 5; cause = cause.cause) causes.push(cause);
  return causes;
}

function toHttpFailure(error: unknown, call: BatchCall): HttpFailure {
  const causes = causesOf(error);
  const own = causes.find((cause) => cause instanceof HttpFailure);
  if (own !== undefined) return own;
  const isAbort = call.signal?.aborted === true;
  const isTimeout = causes.some((cause) => cause.name === 'TimeoutError' || cause.constructor.name === sdkTimeout);
  // The SDK wraps what fetch threw, whose own cause has the code.
  const thrown = causes.find(({ cause }) => cause instanceof Error && 'code' in cause);
  return toFailure(thrown ?? error, isTimeout && !isAbort, isAbort);
}

const sdkTimeout = 'APIConnectionTimeoutError';
