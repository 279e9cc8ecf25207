import type { Success } from '../../../providers/contract.ts';
import { type Failure, toErrorBody } from '../../core/failure.ts';
import type { Candidate } from '../../core/lane.ts';
import { targetName } from '../../core/lane.ts';

/** What a synchronous call is answered with; the transport adds its own headers. */
export type CallAnswer = WholeAnswer | StreamedAnswer;

export interface WholeAnswer {
  status: number;
  headers: Record<string, string>;
  readonly body: string;
  /** The body as UTF-8, where it is passed on as it came. */
  readonly bytes?: Uint8Array | undefined;
}

export interface StreamedAnswer {
  status: 200;
  headers: Record<string, string>;
  /** Text of server-sent events. To be read to its end, or returned from: both settle the call. */
  events: AsyncIterableIterator<string>;
}

/** A provider's answer. Its body is beyond the reach of a spread, so that a copy with another one has no bytes of this. */
export class PassedAnswer implements WholeAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly #answer: Success;

  constructor(answer: Success, headers: Record<string, string>) {
    this.status = answer.status;
    this.headers = headers;
    this.#answer = answer;
  }

  get body(): string {
    return this.#answer.body;
  }

  get bytes(): Uint8Array | undefined {
    return this.#answer.bytes;
  }
}

/** Says who answers, and what a client could miss: parameters that were left out. */
export function targetHeaders(
  candidate: Pick<Candidate, 'provider' | 'model'>,
  attempts: number,
  warnings: readonly string[],
): Record<string, string> {
  const headers: Record<string, string> = {
    'x-weir-provider': candidate.provider,
    'x-weir-target': targetText(candidate),
    'x-weir-attempts': String(attempts),
  };
  if (warnings.length > 0) headers['x-weir-warnings'] = headerText([...new Set(warnings)].join('; '));
  return headers;
}

/** Candidates stay the same from call to call, and so do their names. */
const targetTexts = new WeakMap<object, string>();

function targetText(candidate: Pick<Candidate, 'provider' | 'model'>): string {
  let text = targetTexts.get(candidate);
  if (text === undefined) {
    text = headerText(targetName(candidate));
    targetTexts.set(candidate, text);
  }
  return text;
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
