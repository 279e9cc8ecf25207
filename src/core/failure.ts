import type { ErrorBody } from '../protocol/error.ts';

/**
 * Why a call did not give a result. The kind decides what happens next (core/retry.ts), never the text.
 * - refused before work: invalid_request, authentication, permission, not_found, quota_exhausted, unsupported
 * - pressure: rate_limited, overloaded; quota_full (a batch service's queue, job slots or file quota: later, not never)
 * - trouble: server_error, timeout, connection, bad_response
 * - ours: cancelled, expired, interrupted
 */
export type FailureKind =
  | 'invalid_request'
  | 'unsupported'
  | 'authentication'
  | 'permission'
  | 'not_found'
  | 'quota_exhausted'
  | 'rate_limited'
  | 'overloaded'
  | 'quota_full'
  | 'server_error'
  | 'timeout'
  | 'connection'
  | 'bad_response'
  | 'cancelled'
  | 'expired'
  | 'interrupted';

export interface Failure {
  kind: FailureKind;
  /** HTTP status of the answer; null when there was none. */
  status: number | null;
  /** Stable machine word for clients, as OpenAI's `code`. */
  code: string;
  message: string;
  /** The request parameter at fault, as OpenAI's `param`. */
  param: string | null;
  /** OpenAI's `type`, as answered or derived. */
  type: string;
  /** What the provider asked us to wait; null when it did not say. */
  retryAfterMs: number | null;
  /** It speaks of the whole target, which answered before and will again: a restart, or an outage of what stands before it. */
  passing?: true;
  /** Refused for what this request says, or where it is sent from: others may be let in. */
  ofRequest?: true;
  /** False when the request certainly never left for the provider (refused connection, our own refusal). */
  reachedProvider: boolean;
}

/** A failure of our own making: never sent, so never billed. */
export function refusal(kind: FailureKind, code: string, message: string, param: string | null = null): Failure {
  return {
    kind,
    status: null,
    code,
    message,
    param,
    type: 'invalid_request_error',
    retryAfterMs: null,
    reachedProvider: false,
  };
}

/** The failure in OpenAI's error object. */
export function toErrorBody(failure: Failure): ErrorBody {
  return { message: failure.message, type: failure.type, param: failure.param, code: failure.code };
}
