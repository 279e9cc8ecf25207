import { Buffer, isUtf8 } from 'node:buffer';
import type { BatchError } from '../protocol/batch.ts';
import { ENDPOINTS, type Endpoint, parseEndpoint } from '../protocol/endpoint.ts';
import type { RequestLine } from '../protocol/request-line.ts';
import { parseExact } from './exact-json.ts';
import { findBadValue, type JsonObject } from './json-limits.ts';

/** In UTF-16 units, as the database and the providers' mappings keep it. */
export const CUSTOM_ID_LENGTH_MAX = 1_024;
export const MODEL_LENGTH_MAX = 512;

/** What a request line says, as far as a plan needs it. */
export interface RequestHead {
  customId: string;
  model: string;
  endpoint: Endpoint;
}

type CheckedLine = { head: RequestHead; error?: never } | { head?: never; error: BatchError };

/**
 * Checks one physical line (no line end, not blank) of an input file; `line` is 1-based. The error has OpenAI's code
 * and a message that says what to change. Uniqueness of `custom_id` is not checked here.
 */
export function checkLine(bytes: Uint8Array, line: number): CheckedLine {
  const refuse = (code: string, param: string | null, message: string): CheckedLine => ({
    error: { code, message, param, line },
  });
  if (!isUtf8(bytes)) {
    return refuse('invalid_json_line', null, 'This line is not valid UTF-8. Save the file as UTF-8.');
  }
  let value: unknown;
  try {
    value = JSON.parse(textOf(bytes));
  } catch (error) {
    return refuse('invalid_json_line', null, unparseable(error));
  }
  if (!isObject(value)) {
    const message = `This line is ${kindOf(value)}, not a JSON object. Write {"custom_id", "method", "url", "body"}.`;
    return refuse('invalid_json_line', null, message);
  }
  const problem = findBadValue(value);
  if (problem !== null) return refuse('invalid_json_line', problem.path, problem.message);
  const finding = checkCustomId(value.custom_id) ?? checkMethod(value.method) ?? checkUrl(value.url);
  if (finding !== null) return refuse(...finding);
  const endpoint = parseEndpoint(value.url as string) as Endpoint;
  const bodyFinding = checkBody(value.body, endpoint);
  if (bodyFinding !== null) return refuse(...bodyFinding);
  const { model } = value.body as { model: string };
  return { head: { customId: value.custom_id as string, model, endpoint } };
}

/** What is wrong with the body of a single call, streaming aside; null when it may go on. */
export function checkCallBody(
  body: JsonObject,
  endpoint: Endpoint,
): { code: string; param: string | null; message: string } | null {
  const value = findBadValue(body);
  if (value !== null) {
    return { code: 'invalid_body', param: value.path, message: value.message.replace('This line', 'The body') };
  }
  if (body.background === true) {
    const message = 'Background responses are not supported. Leave background out, or send the request in a batch.';
    return { code: 'invalid_request', param: 'background', message };
  }
  const finding = checkBody(body, endpoint);
  if (finding === null) return null;
  const [code, param, message] = finding;
  return { code, param: param.replace(/^body\./, ''), message: message.replaceAll('body.', '') };
}

/** Reads a line that `checkLine` accepted. Throws on one that it would refuse. */
export function parseRequestLine(bytes: Uint8Array): RequestLine {
  const value = parseExact(textOf(bytes)) as { custom_id: string; url: string; body: JsonObject };
  const endpoint = parseEndpoint(value.url);
  if (endpoint === undefined || !isObject(value.body)) throw new TypeError('not a request line');
  return { customId: value.custom_id, endpoint, body: value.body };
}

/** True when the bytes are JSON text, apart from bytes that are no UTF-8: then only this line is bad, not the format. */
export function looksLikeJson(bytes: Uint8Array): boolean {
  return isJson(textOf(bytes));
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The error of a line that is longer than allowed. */
export function lineTooLong(line: number, length: number, most: number): BatchError {
  const message = `This line has ${length} bytes; at most ${most} are allowed. Split the request, or refer to large media by URL.`;
  return { code: 'line_too_long', message, param: null, line };
}

/** The error of a line whose `custom_id` stands on `firstLine` (1-based) already. */
export function duplicateCustomId(line: number, customId: string, firstLine: number): BatchError {
  const message = `The custom_id ${quote(customId)} is already used on line ${firstLine}. Give every line its own custom_id.`;
  return { code: 'duplicate_custom_id', message, param: 'custom_id', line };
}

type Finding = [code: string, param: string, message: string];

function checkCustomId(value: unknown): Finding | null {
  if (typeof value !== 'string') return notOfType(value, 'custom_id', 'a string', 'Name each line, e.g. "request-1".');
  if (value === '') {
    return ['empty_string', 'custom_id', 'Invalid \'custom_id\': empty string. Name each line, e.g. "request-1".'];
  }
  if (value.length > CUSTOM_ID_LENGTH_MAX) {
    const message = `Invalid 'custom_id': string too long. Use at most ${CUSTOM_ID_LENGTH_MAX} characters, not ${value.length}.`;
    return ['string_above_max_length', 'custom_id', message];
  }
  return null;
}

function checkMethod(value: unknown): Finding | null {
  if (value === 'POST') return null;
  if (typeof value !== 'string') return notOfType(value, 'method', 'a string', 'Use "POST".');
  return ['invalid_value', 'method', `Invalid value: ${quote(value)}. The method of every line must be "POST".`];
}

function checkUrl(value: unknown): Finding | null {
  if (typeof value !== 'string')
    return notOfType(value, 'url', 'a string', 'Use a path such as "/v1/chat/completions".');
  if (parseEndpoint(value) !== undefined) return null;
  const message = `The URL ${quote(value)} is not a batch endpoint. Use the path alone, one of ${ENDPOINTS.join(', ')}.`;
  return ['invalid_url', 'url', message];
}

function checkBody(body: unknown, endpoint: Endpoint): Finding | null {
  if (!isObject(body)) return notOfType(body, 'body', 'an object', `Put the request body of ${endpoint} there.`);
  const { model, stream } = body;
  if (model === undefined || model === null || model === '') {
    return ['invalid_request', 'body.model', 'Model parameter is required. Name a model or a route in body.model.'];
  }
  if (typeof model !== 'string') return notOfType(model, 'body.model', 'a string', 'Name a model or a route.');
  if (model.length > MODEL_LENGTH_MAX) {
    const message = `Invalid 'body.model': string too long. Use at most ${MODEL_LENGTH_MAX} characters, not ${model.length}.`;
    return ['string_above_max_length', 'body.model', message];
  }
  if (stream !== undefined && stream !== false && stream !== null) {
    if (stream !== true) return notOfType(stream, 'body.stream', 'a boolean', 'Leave it out.');
    return ['streaming_unsupported', 'body.stream', 'Streaming is not supported in a batch. Leave body.stream out.'];
  }
  if (body.background === true) {
    const message = 'Background responses are not supported in a batch. Leave body.background out.';
    return ['invalid_request', 'body.background', message];
  }
  return checkInput(body, endpoint);
}

function checkInput(body: JsonObject, endpoint: Endpoint): Finding | null {
  if (endpoint === '/v1/chat/completions') {
    if (Array.isArray(body.messages)) return null;
    if (body.messages === undefined || body.messages === null) return missingInput('Messages', 'messages');
    return notOfType(body.messages, 'body.messages', 'an array', 'Put the messages of the conversation there.');
  }
  if (endpoint === '/v1/completions') return isGiven(body.prompt) ? null : missingInput('Prompt', 'prompt');
  // A response may get its input from a stored prompt.
  if (endpoint === '/v1/responses' && isGiven(body.prompt)) return null;
  return isGiven(body.input) ? null : missingInput('Input', 'input');
}

function missingInput(name: string, member: string): Finding {
  return ['invalid_request', `body.${member}`, `${name} parameter is required. Give the request body a "${member}".`];
}

function notOfType(value: unknown, param: string, expected: string, remedy: string): Finding {
  if (value === undefined) {
    return ['missing_required_parameter', param, `Missing required parameter: '${param}'. ${remedy}`];
  }
  const message = `Invalid type for '${param}': expected ${expected}, but got ${kindOf(value)} instead. ${remedy}`;
  return ['invalid_type', param, message];
}

function unparseable(error: unknown): string {
  const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
  const where = position === undefined ? '' : ` (see character ${Number(position) + 1})`;
  return `This line is not parseable as valid JSON${where}. Write each request as one JSON object on one line.`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  return `a ${typeof value}`;
}

/** Text of the client's in a message: short, and with its control characters escaped. */
function quote(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** UTF-8 as text. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
