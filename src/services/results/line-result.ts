import { Buffer } from 'node:buffer';
import type { Failed, Result, Success } from '../../../providers/contract.ts';
import type { Written } from '../../core/byte-writer.ts';
import { parseExact } from '../../core/exact-json.ts';
import type { Failure } from '../../core/failure.ts';
import { toErrorBody } from '../../core/failure.ts';
import { escapeLineSeparators } from '../../core/jsonl.ts';
import type { Candidate } from '../../core/lane.ts';
import { targetName } from '../../core/lane.ts';
import { resultRecord } from '../../core/result-text.ts';
import { totalInput, totalOutput, type Usage } from '../../core/usage.ts';

/** A line with its final result, ready for a part. */
export interface LineResult {
  /** 0-based line of the input file. */
  line: number;
  succeeded: boolean;
  attempts: number;
  /**
   * The result line with its line feed, as bytes: it waits for its commit outside the heap, where thousands of texts would
   * be moved about until they are old.
   */
  record: Uint8Array;
  /** Bytes of the record before its `weir` member. */
  strictBytes: number;
  /** What it adds to the batch's usage, which is that of its successes. */
  usage: Usage | null;
}

export interface FinishedAttempt {
  batchId: string;
  /** 0-based. */
  line: number;
  customId: string;
  candidate: Pick<Candidate, 'provider' | 'model'>;
  attempts: number;
  costNano: number | null;
  warnings: readonly string[];
  /** The provider's untouched line, when it is to be kept. */
  raw?: string;
}

/** The result of a line whose last attempt ended so. */
export function resultOfAttempt(attempt: FinishedAttempt, result: Result): LineResult {
  if (!result.ok) return resultOfFailure(attempt, result.failure, result);
  return lineResult(attempt, {
    statusCode: result.status,
    requestId: result.requestId,
    body: bodyOf(result),
    error: null,
    finishReason: result.finishReason,
    usage: result.usage,
  });
}

/** The result of a line that fails for good, with or without an answer of the provider. */
export function resultOfFailure(attempt: FinishedAttempt, failure: Failure, answer: Failed | null): LineResult {
  const error = toErrorBody(failure);
  return lineResult(attempt, {
    statusCode: statusOf(failure),
    requestId: answer?.requestId ?? null,
    body: bytesOfText(answer?.body ?? JSON.stringify({ error })),
    error: { code: error.code, message: error.message },
    finishReason: null,
    usage: null,
  });
}

/** The result of a line whose answer came and was paid for, but does not serve: it fails, and keeps the answer. */
export function resultOfUnfit(attempt: FinishedAttempt, result: Success, failure: Failure): LineResult {
  return lineResult(attempt, {
    statusCode: result.status,
    requestId: result.requestId,
    body: bodyOf(result),
    error: { code: failure.code, message: failure.message },
    finishReason: result.finishReason,
    usage: result.usage,
  });
}

interface Answer {
  statusCode: number | null;
  requestId: string | null;
  body: Uint8Array | Written;
  error: { code: string | null; message: string } | null;
  finishReason: string | null;
  usage: Extract<Result, { ok: true }>['usage'];
}

function lineResult(attempt: FinishedAttempt, answer: Answer): LineResult {
  const { candidate, line } = attempt;
  const response = answer.statusCode === null ? null : { statusCode: answer.statusCode, requestId: answer.requestId };
  const { record, strictBytes } = resultRecord(
    {
      line,
      customId: attempt.customId,
      batchId: attempt.batchId,
      response,
      error: answer.error,
      details: {
        line: line + 1,
        provider: candidate.provider,
        model: candidate.model,
        target: targetName(candidate),
        attempts: attempt.attempts,
        cost_nano_usd: attempt.costNano,
        warnings: attempt.warnings.length === 0 ? [] : [...new Set(attempt.warnings)],
        finish_reason: answer.finishReason,
        input_tokens: answer.usage ? totalInput(answer.usage) : 0,
        output_tokens: answer.usage ? totalOutput(answer.usage) : 0,
        raw: attempt.raw === undefined ? undefined : parseRaw(attempt.raw),
      },
    },
    answer.body,
  );
  return {
    line,
    succeeded: answer.error === null,
    attempts: attempt.attempts,
    record,
    strictBytes,
    usage: answer.error === null ? answer.usage : null,
  };
}

/** An answer's bytes where it has them: they stand in the line as they are. */
function bodyOf(result: Success): Uint8Array | Written {
  return result.written ?? result.bytes ?? bytesOfText(result.body);
}

function bytesOfText(body: string): Uint8Array {
  return Buffer.from(escapeLineSeparators(body));
}

/** An unreadable answer has no status of its own; our own refusal is answered as a provider would, with 400. */
function statusOf(failure: Failure): number | null {
  if (failure.status !== null) return failure.status >= 400 ? failure.status : null;
  const silent = failure.reachedProvider || failure.kind === 'connection';
  return silent || failure.kind === 'expired' || failure.kind === 'cancelled' || failure.kind === 'interrupted'
    ? null
    : 400;
}

/** A line as JSON; its text when it is none, or is nested deeper than it can be written again. */
function parseRaw(text: string): unknown {
  try {
    const value = parseExact(text);
    JSON.stringify(value);
    return value;
  } catch {
    return text;
  }
}
