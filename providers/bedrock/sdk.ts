import { type BatchCall, ProviderError } from '../contract.ts';
import type { Access } from './access.ts';
import { type AwsError, failureOfAws, type Scene } from './status.ts';

/** The signal of one call of an SDK: the caller's, and the deadline. */
export function ending(call: BatchCall): AbortSignal {
  const deadline = AbortSignal.timeout(call.timeoutMs);
  return call.signal === undefined ? deadline : AbortSignal.any([call.signal, deadline]);
}

/** What an SDK threw, as the contract's error. */
export function awsFailure(thrown: unknown, scene: Scene, access: Access, call: BatchCall): ProviderError {
  if (thrown instanceof ProviderError) return thrown;
  const { provider, secrets } = access;
  const failure = failureOfAws(awsErrorOfSdk(thrown), scene, { provider, secrets, nowMs: call.nowMs });
  if (failure.status === null && isAbort(thrown)) {
    const isOurs = call.signal?.aborted === true;
    return new ProviderError({
      ...failure,
      kind: isOurs ? 'interrupted' : 'timeout',
      code: isOurs ? 'interrupted' : 'timeout',
    });
  }
  return new ProviderError(failure);
}

function isAbort(thrown: unknown): boolean {
  return thrown instanceof Error && (thrown.name === 'AbortError' || thrown.name === 'TimeoutError');
}

/** The fields that every exception of the SDK has beside Error's. */
interface SdkError extends Error {
  $metadata?: { httpStatusCode?: number };
  $response?: { statusCode?: number; headers?: Record<string, string> };
  /** S3's word for the error, or Node's for a connection that failed. */
  Code?: string;
  code?: string;
}

/** Node's words for a connection that was never made. */
const neverReached: ReadonlySet<string | undefined> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);

export function awsErrorOfSdk(thrown: unknown): AwsError {
  const error: SdkError = thrown instanceof Error ? thrown : new Error('the call failed');
  const { $metadata: metadata, $response: response } = error;
  const status = metadata?.httpStatusCode ?? response?.statusCode ?? null;
  const name = neverReached.has(error.code) ? 'ConnectionRefused' : (error.Code ?? error.name);
  const isUnreadable = status !== null && status < 300;
  const message = isUnreadable ? 'The answer could not be read.' : error.message;
  return { name: isUnreadable ? 'UnreadableAnswer' : name, message, status, headers: response?.headers ?? {} };
}
