import type { Settings } from './settings.ts';

/** An error as a server states it: HTTP status and the members of OpenAI's error object. */
export interface ErrorAnswer {
  status: number;
  message: string;
  type: string;
  param?: string;
  code?: string;
}

/** The two error envelopes seen in the wild: OpenAI's nested one, and the flat one of older vLLM, SGLang and TensorRT-LLM. */
export function errorBody(error: ErrorAnswer, shape: Settings['error_shape']): string {
  const { status, message, type, param = null, code = null } = error;
  // The flat envelope carries the HTTP status as its code.
  if (shape === 'flat') return JSON.stringify({ object: 'error', message, type, param, code: status });
  return JSON.stringify({ error: { message, type, param, code } });
}

const OVERFLOW: Record<Settings['overflow'], { status: 429 | 503; body: (status: number) => unknown }> = {
  openai: {
    status: 429,
    body: () => ({
      error: {
        message: 'Rate limit reached: too many requests are waiting. Please try again later.',
        type: 'requests',
        param: null,
        code: 'rate_limit_exceeded',
      },
    }),
  },
  vllm: {
    status: 503,
    body: (status) => ({
      error: {
        message: 'The server is overloaded: the request queue is full.',
        type: 'ServiceUnavailableError',
        param: null,
        code: status,
      },
    }),
  },
  // text-generation-inference, router/src/server.rs
  tgi: { status: 429, body: () => ({ error: 'Model is overloaded', error_type: 'overloaded' }) },
  // ollama, server/sched.go ErrMaxQueue behind its OpenAI-compatible middleware
  ollama: {
    status: 503,
    body: () => ({
      error: {
        message: 'server busy, please try again.  maximum pending requests exceeded',
        type: 'api_error',
        param: null,
        code: null,
      },
    }),
  },
};

/** What the chosen server says when its queue is full. */
export function overflowAnswer(settings: Settings): { status: number; body: string } {
  const { status: usual, body } = OVERFLOW[settings.overflow];
  const status = settings.overflow_status ?? usual;
  return { status, body: JSON.stringify(body(status)) };
}

const BY_STATUS: Record<number, Omit<ErrorAnswer, 'status'>> = {
  400: { message: 'The request was refused.', type: 'invalid_request_error' },
  401: { message: 'Incorrect API key provided.', type: 'invalid_request_error', code: 'invalid_api_key' },
  429: { message: 'Rate limit reached for requests.', type: 'requests', code: 'rate_limit_exceeded' },
  500: { message: 'The server had an error while processing your request.', type: 'server_error' },
  503: { message: 'The engine is currently overloaded, please try again later.', type: 'service_unavailable' },
};

/** The error that a simulated fault with this status states. */
export function faultError(status: number): ErrorAnswer {
  const known = BY_STATUS[status];
  if (known) return { status, ...known };
  const type = status < 500 ? 'invalid_request_error' : 'server_error';
  return { status, message: `Simulated failure with status ${status}.`, type };
}

export function invalidRequest(message: string, param?: string, code?: string): ErrorAnswer {
  return { status: 400, message, type: 'invalid_request_error', ...(param && { param }), ...(code && { code }) };
}

export function missingParameter(param: string): ErrorAnswer {
  return invalidRequest(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter');
}

/** OpenAI's words for an unknown model, Azure's for an unknown deployment. */
export function unknownModel(model: string, azure: boolean): ErrorAnswer {
  if (azure) {
    const message =
      'The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.';
    return { status: 404, message, type: 'invalid_request_error', code: 'DeploymentNotFound' };
  }
  const message = `The model \`${model}\` does not exist or you do not have access to it.`;
  return { status: 404, message, type: 'invalid_request_error', param: 'model', code: 'model_not_found' };
}

/** OpenAI's words for a missing or wrong key, Azure's on its own paths. */
export function wrongKey(azure: boolean): ErrorAnswer {
  if (!azure) return faultError(401);
  const message =
    'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.';
  return { status: 401, message, type: 'invalid_request_error', code: '401' };
}

/** vLLM's words, which OpenAI's resemble, so that clients that look for "maximum context length" find it. */
export function contextExceeded(limit: number, prompt: number, completion: number, param: string): ErrorAnswer {
  const message = `This model's maximum context length is ${limit} tokens. However, you requested ${prompt + completion} tokens (${prompt} in the messages, ${completion} in the completion). Please reduce the length of the messages or completion.`;
  return invalidRequest(message, param, 'context_length_exceeded');
}
