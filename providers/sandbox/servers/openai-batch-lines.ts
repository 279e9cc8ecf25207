import { hash } from 'node:crypto';
import { isRecord, type RequestBody } from './answer.ts';
import { type ErrorAnswer, errorBody, faultError } from './errors.ts';
import { prepareAnswer } from './intake.ts';
import type { BatchSettings } from './openai-batch-settings.ts';
import { readPath } from './paths.ts';
import type { ServerState } from './state.ts';

/** One of the `errors.data[]` of a batch that failed validation. */
export interface LineError {
  code: string;
  message: string;
  param: string | null;
  line: number | null;
}

export interface BatchLine {
  customId: string;
  url: string;
  body: RequestBody;
  text: string;
}

export type CheckedLines = { lines: BatchLine[]; errors: LineError[] };

/** Reads and validates an input file as the service does: any bad line fails the whole batch. */
export function checkLines(
  bytes: Buffer,
  endpoint: string,
  model: string | null,
  settings: BatchSettings,
): CheckedLines {
  const isAzure = settings.flavour === 'azure';
  const rows = bytes
    .toString()
    .split('\n')
    .filter((text) => text.trim() !== '');
  if (rows.length === 0)
    return whole('empty_file', 'The input file is empty. Please ensure that the batch contains at least one request.');
  if (rows.length > settings.max_lines) {
    return whole('too_many_tasks', `The batch has more than ${settings.max_lines} requests.`);
  }
  if (isAzure && rows[0]?.startsWith('\uFEFF')) {
    return whole('invalid_request', `A valid model deployment name couldn't be extracted from the input file.`);
  }
  const checker = new LineChecker(endpoint, model, settings);
  for (const [index, text] of rows.entries()) checker.check(text, index + 1);
  return checker;
}

function whole(code: string, message: string): CheckedLines {
  return { lines: [], errors: [{ code, message, param: null, line: null }] };
}

/** Code, message and parameter of what is wrong with a line. */
type Problem = readonly [code: string, message: string, param: string | null];

class LineChecker implements CheckedLines {
  readonly lines: BatchLine[] = [];
  readonly errors: LineError[] = [];
  readonly #endpoint: string;
  readonly #settings: BatchSettings;
  readonly #keys = new Set<string>();
  #model: string | null;

  constructor(endpoint: string, model: string | null, settings: BatchSettings) {
    this.#endpoint = endpoint;
    this.#model = model;
    this.#settings = settings;
  }

  check(text: string, line: number): void {
    const row = parse(text);
    const problem = isRecord(row)
      ? (this.#missingMember(row) ?? this.#problemOf(row, line))
      : (['invalid_json_line', 'This line is not parseable as valid JSON.', null] as const);
    if (problem !== null) {
      const [code, message, param] = problem;
      this.errors.push({ code, message, param, line });
    } else if (isRecord(row) && isRecord(row.body)) {
      this.lines.push({ customId: String(row.custom_id), url: this.#endpoint, body: row.body, text });
    }
  }

  #missingMember(row: RequestBody): Problem | null {
    const isBare = this.#settings.flavour === 'mistral' || this.#settings.flavour === 'together';
    for (const name of isBare ? ['custom_id', 'body'] : ['custom_id', 'method', 'url', 'body']) {
      if (row[name] !== undefined) continue;
      return ['missing_required_parameter', `Missing required parameter: '${name}'.`, name];
    }
    return null;
  }

  #problemOf({ url, custom_id: customId, body }: RequestBody, line: number): Problem | null {
    const { flavour, models, refuse_lines: refused } = this.#settings;
    const isAzure = flavour === 'azure';
    if (typeof customId !== 'string') return ['invalid_request', 'The request is not valid.', 'custom_id'];
    if (!isRecord(body)) return ['invalid_request', 'The request is not valid.', 'body'];
    if (url !== undefined && url !== this.#endpoint) {
      const message = 'The URL provided for this request does not match the batch endpoint.';
      return [isAzure ? 'url_mismatch' : 'invalid_url', message, 'url'];
    }
    if (refused.includes(line)) return ['invalid_request', 'The request was refused by validation.', 'body'];
    if (this.#keys.has(customId))
      return ['duplicate_custom_id', `The custom_id '${customId}' is not unique.`, 'custom_id'];
    this.#keys.add(customId);
    if (body.stream === true) {
      return ['streaming_unsupported', 'Chat Completions: Streaming is not supported in the Batch API.', 'body.stream'];
    }
    const model = body.model ?? (flavour === 'mistral' ? this.#model : undefined);
    if (typeof model !== 'string') return ['invalid_request', 'Model parameter is required.', 'body.model'];
    this.#model ??= model;
    if (model !== this.#model) {
      return [
        isAzure ? 'model_mismatch' : 'mismatched_model',
        'All requests of a batch must name the same model.',
        null,
      ];
    }
    if (models !== null && !models.includes(model)) {
      return ['model_not_found', `The provided model '${model}' is not supported by the Batch API.`, 'body.model'];
    }
    return null;
  }
}

/** The line of the output file (a 200) or of the error file that a request comes to. */
export function runLine(
  line: BatchLine,
  number: number,
  state: ServerState,
  settings: BatchSettings,
): { ok: boolean; text: string } {
  const answer = answerOf(line, state, settings);
  const ok = answer.status === 200;
  const response = {
    status_code: answer.status,
    request_id: `req_${hash('sha256', line.text, 'hex').slice(0, 24)}`,
    body: answer.body,
  };
  // Azure's lines have no id and another order of members.
  const row =
    settings.flavour === 'azure'
      ? { custom_id: line.customId, response, error: null }
      : { id: `batch_req_${number.toString(36)}`, custom_id: line.customId, response, error: null };
  return { ok, text: JSON.stringify(row) };
}

/** The line of the error file for a request that was never run. */
export function unrunLine(line: BatchLine, number: number, status: 'expired' | 'cancelled'): string {
  const message =
    status === 'expired'
      ? 'This request could not be executed before the completion window expired.'
      : 'This request was not executed because the batch was cancelled.';
  const error = { code: `batch_${status}`, message };
  return JSON.stringify({ id: `batch_req_${number.toString(36)}`, custom_id: line.customId, response: null, error });
}

function answerOf(line: BatchLine, state: ServerState, settings: BatchSettings): { status: number; body: unknown } {
  const fault = settings.line_faults.find(({ contains }) => line.text.includes(contains));
  if (fault !== undefined) return failed(faultError(fault.status));
  const url = line.url.startsWith('/v1/') ? line.url : `/v1${line.url}`;
  const route = readPath(url);
  if (route.kind !== 'endpoint') return failed(faultError(404));
  const answer = prepareAnswer(state, route, line.body, hash('sha256', line.text, 'hex'));
  if ('status' in answer) return failed(answer);
  return { status: 200, body: lengthened(answer.object, settings) };
}

function failed(error: ErrorAnswer): { status: number; body: unknown } {
  return { status: error.status, body: JSON.parse(errorBody(error, 'nested')) };
}

/** The answer with a text of the length that is asked for, and Azure's filter results. */
function lengthened(object: unknown, { answer_bytes: bytes, flavour }: BatchSettings): unknown {
  const choices = isRecord(object) && Array.isArray(object.choices) ? object.choices : [];
  for (const choice of choices) {
    if (!isRecord(choice) || !isRecord(choice.message)) continue;
    const { content } = choice.message;
    if (typeof content === 'string') choice.message.content = content.padEnd(bytes, 'x');
    if (flavour === 'azure') choice.content_filter_results = { hate: { filtered: false, severity: 'safe' } };
  }
  return object;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
