import { isRecord, type RequestBody } from './answer.ts';
import { contextExceeded, type ErrorAnswer, invalidRequest, missingParameter, unknownModel } from './errors.ts';
import type { Endpoint, EndpointRoute } from './paths.ts';
import type { Settings } from './settings.ts';
import { countPromptTokens } from './text.ts';

/** What a valid request comes to. */
interface CheckedRequest {
  model: string;
  promptTokens: number;
  completionLimit: number;
}

const PROMPT_FIELDS: Record<Endpoint, string> = {
  '/v1/chat/completions': 'messages',
  '/v1/completions': 'prompt',
  '/v1/embeddings': 'input',
  '/v1/responses': 'input',
  '/v1/moderations': 'input',
};
const LIMIT_FIELDS = ['max_completion_tokens', 'max_output_tokens', 'max_tokens'] as const;
const COUNT_FIELDS: readonly [field: string, greatest: number][] = [
  ...LIMIT_FIELDS.map((field): [string, number] => [field, Number.MAX_SAFE_INTEGER]),
  ['n', 128],
  ['dimensions', 16_384],
];

/** A JSON object, or null for anything else. */
export function parseBody(raw: Buffer): RequestBody | null {
  try {
    const value: unknown = JSON.parse(raw.toString());
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

/** Checks a request as a server would: its body, its model, its length. Returns the error to answer with, if any. */
export function checkRequest(
  route: EndpointRoute,
  body: RequestBody | null,
  settings: Settings,
): CheckedRequest | ErrorAnswer {
  if (body === null) {
    return invalidRequest('We could not parse the JSON body of your request. The API expects a JSON object.');
  }
  const problem = checkFields(route.endpoint, body);
  if (problem) return problem;
  const named = route.deployment ?? body.model;
  if (settings.strict_models) {
    if (typeof named !== 'string') return missingParameter('model');
    if (!settings.models.includes(named)) return unknownModel(named, route.azure);
  }
  const model = typeof named === 'string' ? named : (settings.models[0] ?? '');
  const promptTokens = countPromptTokens(body[PROMPT_FIELDS[route.endpoint]], body.instructions);
  return checkLength(route.endpoint, body, settings, { model, promptTokens });
}

function checkFields(endpoint: Endpoint, body: RequestBody): ErrorAnswer | null {
  const field = PROMPT_FIELDS[endpoint];
  const prompt = body[field];
  if (prompt === undefined || prompt === null) return missingParameter(field);
  const acceptsText = endpoint !== '/v1/chat/completions';
  if (!Array.isArray(prompt) && !(acceptsText && typeof prompt === 'string')) {
    const expected = acceptsText ? 'a string or an array' : 'an array of objects';
    return invalidRequest(`Invalid type for '${field}': expected ${expected}.`, field, 'invalid_type');
  }
  if (prompt.length === 0) return invalidRequest(`Invalid '${field}': it must not be empty.`, field, 'empty_array');
  if (!acceptsText) {
    const messages: unknown[] = Array.isArray(prompt) ? prompt : [];
    const wrong = messages.findIndex((message) => !isRecord(message) || typeof message.role !== 'string');
    if (wrong !== -1) return missingParameter(`messages[${wrong}].role`);
  }
  return checkCounts(body);
}

function checkCounts(body: RequestBody): ErrorAnswer | null {
  for (const [name, greatest] of COUNT_FIELDS) {
    const value = body[name];
    if (value === undefined || value === null) continue;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > greatest) {
      return invalidRequest(
        `Invalid '${name}': expected an integer of at least 1 and at most ${greatest}.`,
        name,
        'invalid_value',
      );
    }
  }
  return null;
}

function checkLength(
  endpoint: Endpoint,
  body: RequestBody,
  settings: Settings,
  request: Pick<CheckedRequest, 'model' | 'promptTokens'>,
): CheckedRequest | ErrorAnswer {
  const asked = LIMIT_FIELDS.map((field) => body[field]).find((value) => typeof value === 'number');
  const context = settings.max_model_len;
  if (context === null) return { ...request, completionLimit: asked ?? Number.MAX_SAFE_INTEGER };
  const written = endpoint === '/v1/embeddings' || endpoint === '/v1/moderations' ? 0 : (asked ?? 1);
  if (request.promptTokens + written > context) {
    return contextExceeded(context, request.promptTokens, asked ?? 0, PROMPT_FIELDS[endpoint]);
  }
  return { ...request, completionLimit: asked ?? context - request.promptTokens };
}
