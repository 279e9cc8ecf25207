import type { ErrorBody } from '../protocol/error.ts';
import type { ResultDetails } from '../protocol/result-line.ts';
import { escapeLineSeparators } from './jsonl.ts';

/** What a finished line says, before it is text. `body` is JSON text already. */
export interface LineOutcome {
  /** 0-based line of the input file. */
  line: number;
  customId: string;
  batchId: string;
  statusCode: number | null;
  requestId: string | null;
  body: string | null;
  /** Set on failures: also when there is a response, so that readers that only look at `error` see it. */
  error: Pick<ErrorBody, 'code' | 'message'> | null;
  details: ResultDetails;
}

/** A result line in two pieces, without line feed. */
export interface ResultText {
  /** OpenAI's members: with a closing brace behind them they are a line of their own. */
  strict: string;
  /** Weir's own member, and the end of the line. */
  details: string;
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

/** Writes a result line: OpenAI's members first, Weir's own last (core/part.ts relies on it). */
export function resultText(outcome: LineOutcome): ResultText {
  const response =
    outcome.statusCode === null || outcome.body === null
      ? 'null'
      : `{"status_code":${outcome.statusCode},"request_id":${JSON.stringify(outcome.requestId)},"body":${outcome.body}}`;
  const error = outcome.error
    ? JSON.stringify({ code: outcome.error.code ?? 'error', message: outcome.error.message })
    : 'null';
  const strict = escapeLineSeparators(
    `{"id":"${resultId(outcome.batchId, outcome.line)}","custom_id":${JSON.stringify(outcome.customId)},` +
      `"response":${response},"error":${error}`,
  );
  return { strict, details: detailsText(outcome.details) };
}

/** The end of a result line, from behind its strict part. */
export function detailsText(details: ResultDetails): string {
  return escapeLineSeparators(`,"weir":${JSON.stringify(details)}}`);
}

/** Reads the details back from the end of a result line. */
export function parseDetails(tail: string): ResultDetails {
  return (JSON.parse(`{${tail.slice(1)}`) as { weir: ResultDetails }).weir;
}
