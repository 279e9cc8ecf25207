import { LastingLines } from '../../src/core/lasting-lines.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import { type BatchCall, type BatchResult, ProviderError } from '../contract.ts';
import { isBlank } from '../shared/answer.ts';
import type { GcsBucket } from '../shared/gcs.ts';
import type { GcsObject } from '../shared/gcs-object.ts';
import { badResponse } from '../shared/openai-status.ts';
import { answerAs } from '../shared/responses-as-chat.ts';
import { EmbeddingPieces } from './embedding-pieces.ts';
import type { Family } from './models.ts';
import type { ResultContext } from './results.ts';
import { type Row, readLine } from './rows.ts';

/** Characters of embeddings that wait for the others of their request. */
const mostHeldCharacters = 64 * 1024 * 1024;

export interface Output {
  /** Object names of the directory begin so. */
  prefix: string;
  kind: Family['kind'];
  endpoint: Endpoint;
  context: ResultContext;
  /** Answers that the job counted; null when it did not say. */
  expectedRows: number | null;
}

/**
 * The answers of a job, from all files of its output directory, in the order in which they stand there. Rejects with
 * ProviderError when fewer lines are there than the job counted: the listing may lag behind.
 */
export async function* readOutput(
  bucket: GcsBucket,
  output: Output,
  call: BatchCall,
  mostCharacters = mostHeldCharacters,
): AsyncGenerator<BatchResult> {
  const objects: GcsObject[] = [];
  for await (const object of bucket.list(output.prefix, call)) if (isOutput(object)) objects.push(object);
  const { kind, context, expectedRows } = output;
  let rows = 0;
  let postponed: ReadonlySet<string> | null = null;
  do {
    const pieces: EmbeddingPieces = new EmbeddingPieces(postponed, context, mostCharacters);
    const isFirst: boolean = postponed === null;
    for (const object of objects) {
      for await (const bytes of readLines(bucket, object, call)) {
        rows += isFirst ? 1 : 0;
        const row: Row = bytes === null ? tooLong(context, call) : readLine(bytes, kind, output.endpoint, context);
        if (row.piece === null) {
          if (isFirst) yield inShapeOf(output.endpoint, row.result);
          continue;
        }
        const whole: BatchResult | null = pieces.add(row);
        if (whole !== null) yield whole;
      }
    }
    // Before anything is called missing: what is not shown yet may hold it.
    if (expectedRows !== null && rows < expectedRows) throw incomplete(context, rows, expectedRows);
    yield* pieces.rest();
    postponed = pieces.postponed.size > 0 ? pieces.postponed : null;
  } while (postponed !== null);
}

/** What comes in bytes has the shape of chat completions, and stays as it is. */
function inShapeOf(endpoint: Endpoint, line: BatchResult): BatchResult {
  if (endpoint === '/v1/chat/completions') return line;
  return { key: line.key, result: answerAs(endpoint, line.result), raw: line.raw };
}

/**
 * `predictions.jsonl`, `predictions_0001.jsonl`, `errors_0001.jsonl`, `000000000000.jsonl`, `prediction.results-00000-of-…`;
 * not markers such as `_SUCCESS`, and not what is empty.
 */
function isOutput({ name, bytes }: GcsObject): boolean {
  const file = name.slice(name.lastIndexOf('/') + 1);
  return bytes > 0 && (file.endsWith('.jsonl') || /^(?:predictions?|errors?)[._-]/.test(file));
}

/** The lines of an object that are not blank; null for one that is longer than an answer may be. */
async function* readLines(bucket: GcsBucket, object: GcsObject, call: BatchCall): AsyncGenerator<Uint8Array | null> {
  let lines: (Uint8Array | null)[] = [];
  const framer = new LastingLines(call.maxResponseBytes, (bytes) => {
    if (bytes === null || !isBlank(bytes)) lines.push(bytes);
  });
  for await (const chunk of bucket.download(object, call)) {
    framer.push(chunk);
    yield* lines;
    lines = [];
  }
  framer.end();
  yield* lines;
}

function tooLong({ provider }: ResultContext, { maxResponseBytes }: BatchCall): Row {
  const message = `${provider}: a line of the output is longer than ${maxResponseBytes} bytes.`;
  const failure = badResponse(200, message, 'response_too_large');
  const result = { ok: false, failure, requestId: null, body: null, usage: null, rawUsage: null } as const;
  return { piece: null, result: { key: null, result, raw: '' } };
}

function incomplete({ provider }: ResultContext, rows: number, expected: number): ProviderError {
  const message = `${provider}: the output shows ${rows} lines of at least ${expected}; the rest may appear later.`;
  return new ProviderError({ ...badResponse(200, message, 'output_incomplete'), kind: 'server_error' });
}
