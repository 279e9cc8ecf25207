/** An error as Anthropic states it. */
export interface AnthropicError {
  status: number;
  type: string;
  message: string;
}

/** Error types by status (Anthropic's errors page) with usual words. */
const usual: Readonly<Record<number, Omit<AnthropicError, 'status'>>> = {
  400: { type: 'invalid_request_error', message: 'The request was refused.' },
  401: { type: 'authentication_error', message: 'invalid x-api-key' },
  402: { type: 'billing_error', message: 'There is an issue with your billing.' },
  403: { type: 'permission_error', message: 'Your API key does not have permission to use the specified resource.' },
  404: { type: 'not_found_error', message: 'Not found.' },
  413: { type: 'request_too_large', message: 'Request exceeds the maximum size.' },
  429: { type: 'rate_limit_error', message: 'This request would exceed your rate limit.' },
  500: { type: 'api_error', message: 'Internal server error' },
  504: { type: 'timeout_error', message: 'The request timed out.' },
  529: { type: 'overloaded_error', message: 'Overloaded' },
};

export function usualError(status: number): AnthropicError {
  const known = usual[status] ?? usual[status < 500 ? 400 : 500];
  return { status, type: known?.type ?? 'api_error', message: known?.message ?? 'Internal server error' };
}

export function invalid(message: string): AnthropicError {
  return { status: 400, type: 'invalid_request_error', message };
}

export function notFound(message: string): AnthropicError {
  return { status: 404, type: 'not_found_error', message };
}

export function errorObject({ type, message }: AnthropicError, requestId: string | null): object {
  return { type: 'error', error: { type, message }, request_id: requestId };
}
