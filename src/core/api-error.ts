import type { ErrorEnvelope } from '../protocol/error.ts';

export type ApiErrorStatus = 400 | 401 | 403 | 404 | 405 | 408 | 409 | 410 | 413 | 415 | 416 | 422 | 429 | 500 | 503;

const TYPES: Record<ApiErrorStatus, string> = {
  400: 'invalid_request_error',
  401: 'invalid_request_error',
  403: 'permission_error',
  404: 'invalid_request_error',
  405: 'invalid_request_error',
  408: 'timeout_error',
  409: 'invalid_request_error',
  410: 'invalid_request_error',
  413: 'invalid_request_error',
  415: 'invalid_request_error',
  416: 'invalid_request_error',
  422: 'invalid_request_error',
  429: 'rate_limit_error',
  500: 'server_error',
  503: 'server_error',
};

const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 409, 429]);

/** Whether a later try of the same request may be answered otherwise, as far as the status of its answer tells. */
export function passesWithTime(status: number): boolean {
  return status >= 500 || PASSING_STATUSES.has(status);
}

/** An error a client should see: its message says what to do. Anything else thrown becomes a plain 500. */
export class ApiError extends Error {
  readonly status: ApiErrorStatus;
  readonly code: string | null;
  readonly param: string | null;
  /** When to come back, for answers that pass with time. */
  readonly retryAfterSeconds: number | null;
  /** OpenAI's `type`. */
  readonly type: string;
  /** Further headers of the answer. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: ApiErrorStatus,
    message: string,
    options: {
      code?: string;
      param?: string;
      /** Where it is not the status's own. */
      type?: string;
      retryAfterSeconds?: number;
      headers?: Record<string, string>;
    } = {},
  ) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = options.code ?? null;
    this.param = options.param ?? null;
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
    this.type = options.type ?? TYPES[status];
    this.headers = options.headers ?? {};
  }

  /** OpenAI's error envelope. */
  toEnvelope(): ErrorEnvelope {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.code } };
  }
}

/** The one answer for an id that does not exist or is another tenant's. */
export function notFound(noun: string, id: string): ApiError {
  return new ApiError(404, `No such ${noun}: '${id.slice(0, 128)}'. Check the id and the API key it was made with.`, {
    param: 'id',
    code: 'not_found',
  });
}
