import { redact } from './redact.ts';

/** What an error answer says, whatever its shape and fit for tenants to see; null where it says nothing. */
export interface ErrorWords {
  message: string | null;
  type: string | null;
  code: string | null;
  param: string | null;
}

export type Fields = Readonly<Record<string, unknown>>;

const nothing: ErrorWords = { message: null, type: null, code: null, param: null };

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads an error answer's parsed JSON. Shapes seen: OpenAI's nested `{error: {message, type, param, code}}`; the flat one
 * of older vLLM, SGLang and TensorRT-LLM `{object: "error", message, …}`; text-generation-inference's
 * `{error: "text", error_type}`; FastAPI's `{detail}`; Azure API Management's `{statusCode, message}`; and a list with
 * one of these in it (Gemini's compatible endpoint). `secrets` as for `redact`.
 */
export function readErrorBody(body: unknown, secrets: readonly string[]): ErrorWords {
  const words = readAny(body);
  const withoutSecrets = (word: string | null) => (word !== null && redact(word, secrets) === word ? word : null);
  return {
    message: words.message === null ? null : redact(words.message, secrets),
    type: withoutSecrets(words.type),
    code: withoutSecrets(words.code),
    param: withoutSecrets(words.param),
  };
}

function readAny(body: unknown): ErrorWords {
  if (Array.isArray(body)) return isFields(body[0]) ? readAny(body[0]) : nothing;
  if (!isFields(body)) return nothing;
  const { error } = body;
  if (isFields(error)) return readFields(error);
  if (typeof error === 'string') return { ...nothing, message: error, type: readWord(body.error_type) };
  return readFields(body);
}

function readFields(fields: Fields): ErrorWords {
  return {
    message: readText(fields.message) ?? readText(fields.detail) ?? readText(fields.msg),
    type: readWord(fields.type),
    code: readWord(fields.code),
    param: readWord(fields.param),
  };
}

function readText(value: unknown): string | null {
  if (typeof value === 'string') return value.trim() === '' ? null : value;
  if (Array.isArray(value)) return value.slice(0, 3).map(readValidation).filter(Boolean).join('; ') || null;
  return isFields(value) ? (readText(value.message) ?? readText(value.detail)) : null;
}

/** One of FastAPI's validation errors: `{loc: ["body", "n"], msg: "…"}`. */
function readValidation(value: unknown): string {
  if (!isFields(value)) return typeof value === 'string' ? value : '';
  const place = Array.isArray(value.loc) ? `${value.loc.join('.')}: ` : '';
  return typeof value.msg === 'string' ? place + value.msg : '';
}

/** A word that a program may compare; anything longer or stranger is dropped. Numbers become text. */
function readWord(value: unknown): string | null {
  const text = typeof value === 'number' ? String(value) : value;
  return typeof text === 'string' && /^[\w.:[\]/-]{1,128}$/.test(text) ? text : null;
}
