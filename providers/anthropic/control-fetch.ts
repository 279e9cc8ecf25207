import { HttpFailure } from '../../src/ports/http-client.ts';
import { type BatchCall, ProviderError } from '../contract.ts';
import type { AnswerContext } from '../shared/answer.ts';
import { failureOfCall } from '../shared/openai-status.ts';

/**
 * The call's fetch with its bounds: no redirect is followed, as it would carry the credential along; the whole exchange has a
 * deadline, and the answer a largest size.
 */
export function guardedFetch(call: BatchCall): typeof fetch {
  return async (input, init = {}) => {
    const signals = [init.signal, call.signal, AbortSignal.timeout(call.timeoutMs)].filter((signal) => signal != null);
    const response = await call.fetch(input, { ...init, redirect: 'manual', signal: AbortSignal.any(signals) });
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
  return new ProviderError(failureOfCall(toHttpFailure(error, call), context));
}

/** Codes with which Node.js says that no connection came about. */
const neverConnected = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;

function toHttpFailure(error: unknown, call: BatchCall): HttpFailure {
  if (call.signal?.aborted) return new HttpFailure('aborted', true, 'the call was aborted');
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    if (cause instanceof HttpFailure) return cause;
    if (cause.name === 'TimeoutError' || cause.constructor.name === 'APIConnectionTimeoutError') {
      return new HttpFailure('timeout', true, 'no complete answer in time');
    }
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
    if (neverConnected.test(code)) return new HttpFailure('connect', false, `no connection (${code})`);
  }
  return new HttpFailure('reset', true, 'the connection broke before the answer was complete');
}
