import { type Failure, toErrorBody } from '../../core/failure.ts';
import type { Candidate } from '../../core/lane.ts';
import { targetName } from '../../core/lane.ts';

/** What a synchronous call is answered with; the transport adds its own headers. */
export type CallAnswer = WholeAnswer | StreamedAnswer;

export interface WholeAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export interface StreamedAnswer {
  status: 200;
  headers: Record<string, string>;
  /** Text of server-sent events. To be read to its end, or returned from: both settle the call. */
  events: AsyncIterableIterator<string>;
}

/** Says who answers, and what a client could miss: parameters that were left out. */
export function targetHeaders(
  candidate: Pick<Candidate, 'provider' | 'model'>,
  attempts: number,
  warnings: readonly string[],
): Record<string, string> {
  return {
    'x-weir-provider': candidate.provider,
    'x-weir-target': headerText(targetName(candidate)),
    'x-weir-attempts': String(attempts),
    ...(warnings.length > 0 && { 'x-weir-warnings': headerText([...new Set(warnings)].join('; ')) }),
  };
}

/** The answer to a call that failed for good. `body` is the provider's own error in OpenAI's envelope, if it sent one. */
export function failureAnswer(failure: Failure, body: string | null, headers: Record<string, string>): WholeAnswer {
  const status = statusOf(failure);
  const said = body !== null && status === failure.status ? body : JSON.stringify({ error: toErrorBody(failure) });
  const wait = failure.retryAfterMs;
  return {
    status,
    headers: {
      'content-type': 'application/json',
      ...headers,
      ...(wait !== null && {
        'retry-after': String(Math.ceil(wait / 1000)),
        'retry-after-ms': String(Math.ceil(wait)),
      }),
    },
    body: said,
  };
}

/**
 * The provider's status where it speaks of the request. Where it speaks of the operator's credentials, or there is no
 * answer to speak of, the gateway's own: a 401 would tell clients that their own key is wrong.
 */
function statusOf({ kind, status }: Failure): number {
  if (kind === 'authentication') return 502;
  if (status !== null && status >= 400) return status;
  switch (kind) {
    case 'invalid_request':
    case 'unsupported':
      return 400;
    case 'not_found':
      return 404;
    case 'permission':
      return 403;
    case 'quota_exhausted':
    case 'rate_limited':
    case 'quota_full':
      return 429;
    case 'overloaded':
      return 503;
    case 'timeout':
      return 504;
    case 'connection':
    case 'bad_response':
    case 'server_error':
      return 502;
    case 'cancelled':
    case 'expired':
    case 'interrupted':
      return 499;
  }
}

/** Printable ASCII, and not too much of it: header values may hold nothing else. */
function headerText(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 500);
}
