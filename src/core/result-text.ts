import { Buffer } from 'node:buffer';
import type { ErrorBody } from '../protocol/error.ts';
import type { ResultDetails } from '../protocol/result-line.ts';
import { ByteWriter, JSON_UNIT_BYTES, type Written } from './byte-writer.ts';
import { asciiBytes } from './json-cursor.ts';
import { escapeLineSeparators, jsonText } from './jsonl.ts';

/** What a finished line says, apart from its answer's body. */
export interface LineOutcome {
  /** 0-based line of the input file. */
  line: number;
  customId: string;
  batchId: string;
  /** null when there is no answer. */
  response: { statusCode: number; requestId: string | null } | null;
  /** Set on failures: also when there is a response, so that readers that only look at `error` see it. */
  error: Pick<ErrorBody, 'code' | 'message'> | null;
  details: ResultDetails;
}

/** A finished line as it is kept, with its line feed. */
export interface ResultRecord {
  record: Uint8Array;
  /** Bytes of it before Weir's own member: with a closing brace behind them they are a line of OpenAI's. */
  strictBytes: number;
}

/** The id of a result line: stable for a line of a batch, so that a repeated assembly gives the same bytes. */
export function resultId(batchId: string, line: number): string {
  return `batch_req_${batchId.slice('batch_'.length)}_${line + 1}`;
}

/** The 0-based line that the id of a batch's result line names; null when it is no such id. */
export function lineOfResult(batchId: string, id: string): number | null {
  const line = Number(/^batch_req_.+_(\d+)$/.exec(id)?.[1]) - 1;
  return Number.isSafeInteger(line) && resultId(batchId, line) === id ? line : null;
}

const writer = new ByteWriter();

const BEGIN = '{"id":"batch_req_';
const CUSTOM_ID = asciiBytes('","custom_id":');
const STATUS = asciiBytes(',"response":{"status_code":');
const REQUEST_ID = asciiBytes(',"request_id":');
const BODY = asciiBytes(',"body":');
const NO_RESPONSE = asciiBytes(',"response":null');
const END_OF_RESPONSE = asciiBytes('}');
const NO_ERROR = asciiBytes(',"error":null');
const ERROR = asciiBytes(',"error":');
const DETAILS = asciiBytes(',"weir":{"line":');
const COST = asciiBytes(',"cost_nano_usd":');
const NO_WARNINGS = asciiBytes(',"warnings":[]');
const WARNINGS = asciiBytes(',"warnings":');
const FINISH_REASON = asciiBytes(',"finish_reason":');
const INPUT_TOKENS = asciiBytes(',"input_tokens":');
const OUTPUT_TOKENS = asciiBytes(',"output_tokens":');
const RAW = asciiBytes(',"raw":');
const END = asciiBytes('}}');
const LINE_FEED = asciiBytes('\n');
/** More than these and all numbers are. */
const NAMES_BYTES = 1024;

/**
 * Writes a result line: OpenAI's members first, Weir's own last (core/part.ts relies on it). `body`: JSON on one line; it
 * stands in the line as it is, where there is a response.
 */
export function resultRecord(outcome: LineOutcome, body: Uint8Array | Written): ResultRecord {
  const { line, customId, batchId, response, error, details } = outcome;
  const begin = beginOf(batchId);
  const requestId = response?.requestId ?? null;
  const stated = error && jsonBytes({ code: error.code ?? 'error', message: error.message });
  const told = prepare(details);
  const bodyBytes = body instanceof Uint8Array ? body.length : body.bytesMax;
  const texts = (customId.length + (requestId?.length ?? 0)) * JSON_UNIT_BYTES;
  writer.begin(NAMES_BYTES + begin.length + texts + bodyBytes + (stated?.length ?? 0) + told.bytesMax);
  writer.all(begin);
  writer.number(line + 1);
  writer.all(CUSTOM_ID);
  writer.string(customId);
  if (response === null) writer.all(NO_RESPONSE);
  else {
    writer.all(STATUS);
    writer.number(response.statusCode);
    writer.all(REQUEST_ID);
    writer.string(requestId);
    writer.all(BODY);
    if (body instanceof Uint8Array) writer.all(body);
    else body.writeTo(writer);
    writer.all(END_OF_RESPONSE);
  }
  if (stated === null) writer.all(NO_ERROR);
  else {
    writer.all(ERROR);
    writer.all(stated);
  }
  const strictBytes = writer.length;
  writeDetails(details, told);
  writer.all(LINE_FEED);
  return { record: writer.end(), strictBytes };
}

/** JSON of what is rarely told. */
function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(escapeLineSeparators(JSON.stringify(value)));
}

/** How a batch's lines begin: those of one batch mostly follow each other. */
let lastBatch = { id: '', begin: asciiBytes(BEGIN) };

function beginOf(batchId: string): Uint8Array {
  if (lastBatch.id !== batchId) {
    lastBatch = { id: batchId, begin: Buffer.from(`${BEGIN}${batchId.slice('batch_'.length)}_`) };
  }
  return lastBatch.begin;
}

type Target = Pick<ResultDetails, 'provider' | 'model' | 'target'>;

/** What was named last: lines of one target mostly follow each other. */
let lastTarget: Target & { bytes: Uint8Array } = { provider: null, model: null, target: null, bytes: asciiBytes('') };

function targetBytes({ provider, model, target }: Target): Uint8Array {
  const { bytes } = lastTarget;
  const isLast = lastTarget.provider === provider && lastTarget.model === model && lastTarget.target === target;
  if (isLast && bytes.length > 0) return bytes;
  const named = `,"provider":${jsonText(provider)},"model":${jsonText(model)},"target":${jsonText(target)}`;
  lastTarget = { provider, model, target, bytes: Buffer.from(`${named},"attempts":`) };
  return lastTarget.bytes;
}

/** Members of the details that are written beforehand, and how many bytes all members can be beside names and numbers. */
interface Prepared {
  target: Uint8Array;
  warnings: Uint8Array | null;
  raw: Uint8Array | null;
  bytesMax: number;
}

function prepare(details: ResultDetails): Prepared {
  const target = targetBytes(details);
  const warnings = details.warnings.length === 0 ? null : jsonBytes(details.warnings);
  const raw = details.raw === undefined ? null : jsonBytes(details.raw);
  const reason = (details.finish_reason?.length ?? 0) * JSON_UNIT_BYTES;
  return { target, warnings, raw, bytesMax: target.length + (warnings?.length ?? 0) + (raw?.length ?? 0) + reason };
}

function writeDetails(details: ResultDetails, { target, warnings, raw }: Prepared): void {
  writer.all(DETAILS);
  writer.number(details.line);
  writer.all(target);
  writer.number(details.attempts);
  writer.all(COST);
  writer.number(details.cost_nano_usd);
  if (warnings === null) writer.all(NO_WARNINGS);
  else {
    writer.all(WARNINGS);
    writer.all(warnings);
  }
  writer.all(FINISH_REASON);
  writer.string(details.finish_reason);
  writer.all(INPUT_TOKENS);
  writer.number(details.input_tokens);
  writer.all(OUTPUT_TOKENS);
  writer.number(details.output_tokens);
  if (raw !== null) {
    writer.all(RAW);
    writer.all(raw);
  }
  writer.all(END);
}

/** The end of a result line, from behind its strict part, without its line feed. */
export function detailsText(details: ResultDetails): string {
  const told = prepare(details);
  writer.begin(NAMES_BYTES + told.bytesMax);
  writeDetails(details, told);
  return writer.end().toString();
}

/** Reads the details back from the end of a result line. */
export function parseDetails(tail: string): ResultDetails {
  return (JSON.parse(`{${tail.slice(1)}`) as { weir: ResultDetails }).weir;
}
