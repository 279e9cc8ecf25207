import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { BatchResult, Failed, Result } from '../contract.ts';
import { type ParsedAnswer, parseAnswer } from '../shared/answer.ts';
import { LineInBytes } from '../shared/answer-in-bytes.ts';
import { fromMessage } from '../shared/anthropic-messages-answer.ts';
import { isFields } from '../shared/error-body.ts';
import { withAnswer } from '../shared/failed-answer.ts';
import { badResponse } from '../shared/openai-status.ts';
import { type Embedded, type EmbeddingRequest, readPrediction } from './embeddings.ts';
import type { Family } from './models.ts';
import { pickedRow } from './picked-rows.ts';
import { failedResult, type ResultContext, resultOfGemini } from './results.ts';
import { failureOfStatusText } from './status.ts';
import { usageFromEmbeddings } from './usage.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The label in a Gemini request, and the field beside it, that both carry a line's key. */
export const keyLabel = 'weir_key';
export const keyField = 'key';

/** The input line of a request: one, or for embeddings one for each of its texts (their file has no other form). */
export function toInputLine(key: string, family: Family, body: string): string {
  switch (family.kind) {
    case 'gemini':
      // The body is an object with `contents`, so there is always a member behind the comma.
      return `{"${keyField}":"${key}","request":{"labels":{"${keyLabel}":"${key}"},${body.slice(1)}}`;
    case 'claude':
      return `{"custom_id":"${key}","request":${body}}`;
    case 'embedding': {
      const { instances, encoding, dimensions } = JSON.parse(body) as EmbeddingRequest;
      return instances
        .map((instance, index) => {
          const piece: PieceId = { key, index, count: instances.length, dimensions, encoding };
          return JSON.stringify({ ...instance, [keyField]: writePieceId(piece) });
        })
        .join('\n');
    }
  }
}

/** Which embedding of which request a row is, and how the request wants it. */
export interface PieceId extends Pick<EmbeddingRequest, 'encoding' | 'dimensions'> {
  key: string;
  index: number;
  count: number;
}

function writePieceId({ key, index, count, dimensions, encoding }: PieceId): string {
  return `${key}.${index}.${count}.${dimensions ?? 0}.${encoding}`;
}

function readPieceId(text: unknown): PieceId | null {
  const match = /^([a-z0-9-]{1,32})\.(\d{1,4})\.(\d{1,4})\.(\d{1,5})\.(float|base64)$/.exec(String(text));
  if (match === null) return null;
  const [, key = '', index, count, dimensions, encoding] = match;
  const piece = { index: Number(index), count: Number(count), dimensions: Number(dimensions) || null };
  return piece.index < piece.count ? { key, ...piece, encoding: encoding === 'base64' ? 'base64' : 'float' } : null;
}

/** A row of a job's output: an answer, or a piece of one. */
export type Row = { piece: null; result: BatchResult } | { piece: PieceId; embedded: Embedded | Failed; raw: string };

/** Reads one line of an output file, whose bytes are its own from now on. `endpoint`: the one that was asked. Never throws. */
export function readLine(bytes: Uint8Array, kind: Family['kind'], endpoint: Endpoint, context: ResultContext): Row {
  const picked = kind === 'gemini' && endpoint === '/v1/chat/completions' ? pickedRow(bytes, context) : null;
  const key = picked && readKey(picked.key);
  if (picked !== null && key !== null) return { piece: null, result: new LineInBytes(key, picked.answer, bytes) };
  return readRow(parseAnswer(bytes), kind, context);
}

/** Reads one line as parsed: what cannot be read is a failure, without a key if need be. */
export function readRow({ text: raw, json: row }: ParsedAnswer, kind: Family['kind'], context: ResultContext): Row {
  if (!isFields(row)) return whole(null, damaged('a line that is no JSON object', context), raw);
  if (kind === 'embedding') return readPiece(row, raw, context);
  const { key, isMixedUp } = kind === 'claude' ? claudeKey(row) : geminiKey(row);
  if (isMixedUp) {
    const failure = badResponse(
      200,
      `${context.provider} answered with the request of another line.`,
      'answer_mixed_up',
    );
    return whole(key, withAnswer(failedResult(failure, context), readAnswer(row, kind, context)), raw);
  }
  return whole(key, readAnswer(row, kind, { ...context, requestId: null }), raw);
}

function whole(key: string | null, result: Result, raw: string): Row {
  return { piece: null, result: { key, result, raw } };
}

interface RowKey {
  key: string | null;
  /** The row's own id and that of the request it echoes differ: nobody can tell whose answer it is. */
  isMixedUp: boolean;
}

function geminiKey(row: Fields): RowKey {
  // Files of errors may put the whole input line under `instance`.
  const instance = isFields(row.instance) ? row.instance : row;
  const request = isFields(instance.request) ? instance.request : isFields(row.request) ? row.request : {};
  const labels = isFields(request.labels) ? request.labels : {};
  const beside = readKey(row[keyField] ?? instance[keyField]);
  const inside = readKey(labels[keyLabel]);
  return { key: beside ?? inside, isMixedUp: beside !== null && inside !== null && beside !== inside };
}

function claudeKey(row: Fields): RowKey {
  return { key: readKey(row.custom_id), isMixedUp: false };
}

function readKey(value: unknown): string | null {
  return typeof value === 'string' && /^[a-z0-9-]{1,32}$/.test(value) ? value : null;
}

function readAnswer(row: Fields, kind: 'gemini' | 'claude', context: ResultContext): Result {
  const failure = rowFailure(row, context);
  const { response } = row;
  if (!isFields(response) || Object.keys(response).length === 0) {
    return failure ?? damaged('a line with neither an answer nor an error', context);
  }
  const answer = kind === 'claude' ? fromMessage(response, context) : resultOfGemini(response, context);
  return failure === null ? answer : withAnswer(failure, answer);
}

/** A `status` with words in it is a failure, whatever stands beside it; an empty one is not. */
function rowFailure(row: Fields, context: ResultContext): Failed | null {
  const { status, error } = row;
  const stated = isFields(status) || isFields(error) ? JSON.stringify(isFields(status) ? status : error) : status;
  if (typeof stated !== 'string' || stated.trim() === '' || stated === '{}') return null;
  return failedResult(failureOfStatusText(stated, context), context);
}

/** What embeddings cost that are not handed on: by their texts' token counts, of which some may be unknown. */
export function billedFor(tokens: readonly (number | null)[]) {
  const { usage, raw } = usageFromEmbeddings(tokens);
  return { ok: tokens.length > 0, usage, rawUsage: raw } as const;
}

function readPiece(row: Fields, raw: string, context: ResultContext): Row {
  const instance = isFields(row.instance) ? row.instance : row;
  const piece = readPieceId(instance[keyField] ?? row[keyField]);
  const predictions: unknown[] = Array.isArray(row.predictions) ? row.predictions : [row.prediction];
  const failure = rowFailure(row, context);
  const read = readPrediction(predictions[0]);
  const embedded =
    failure === null
      ? (read ?? damaged('a line without an embedding', context))
      : withAnswer(failure, read && billedFor([read.tokens]));
  if (piece !== null) return { piece, embedded, raw };
  const result = 'ok' in embedded ? embedded : damaged('an embedding without a key', context);
  return whole(null, result, raw);
}

function damaged(what: string, context: ResultContext): Failed {
  return failedResult(badResponse(200, `${context.provider}: the output holds ${what}.`, 'damaged_row'), context);
}
