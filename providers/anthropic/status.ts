import type { MessageBatch } from '@anthropic-ai/sdk/resources/messages/batches';
import type { Failure } from '../../src/core/failure.ts';
import type { Progress } from '../contract.ts';
import type { AnswerContext } from '../shared/answer.ts';
import { failureOfError } from '../shared/anthropic-messages-errors.ts';
import { isFields } from '../shared/error-body.ts';
import { badResponse } from '../shared/openai-status.ts';

/** What is used of a Message Batch; the SDK's type pins the names. */
export interface RemoteBatch {
  id: MessageBatch['id'];
  status: string;
  counts: { [name in keyof MessageBatch['request_counts']]: number };
  /** Unix milliseconds. */
  createdMs: number;
  /** null until it has ended. */
  endedMs: number | null;
  isCancelled: boolean;
  isArchived: boolean;
  /** null where it is missing or empty. */
  resultsUrl: string | null;
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads a Message Batch; null for anything else. */
export function readBatch(json: unknown): RemoteBatch | null {
  if (!isFields(json) || typeof json.id !== 'string' || typeof json.processing_status !== 'string') return null;
  const counts = isFields(json.request_counts) ? json.request_counts : {};
  const createdMs = Date.parse(String(json.created_at));
  const endedMs = Date.parse(String(json.ended_at));
  return {
    id: json.id,
    status: json.processing_status,
    counts: {
      processing: countOf(counts, 'processing'),
      succeeded: countOf(counts, 'succeeded'),
      errored: countOf(counts, 'errored'),
      canceled: countOf(counts, 'canceled'),
      expired: countOf(counts, 'expired'),
    },
    createdMs: Number.isNaN(createdMs) ? 0 : createdMs,
    endedMs: Number.isNaN(endedMs) ? null : endedMs,
    isCancelled: isText(json.cancel_initiated_at),
    isArchived: isText(json.archived_at),
    resultsUrl: isText(json.results_url) ? json.results_url : null,
  };
}

function countOf(counts: Fields, name: string): number {
  const count = counts[name];
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : 0;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** Requests of a batch, in whatever state. */
export function sizeOf({ counts }: RemoteBatch): number {
  return counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired;
}

/**
 * What a Message Batch means. There is no word for a batch that failed, expired or was cancelled: the counts tell it once
 * it has ended (@anthropic-ai/sdk, MessageBatch). Cancelled when all was done already counts as completed.
 */
export function progressOf(batch: RemoteBatch, details: unknown): Progress {
  const { counts, status, resultsUrl } = batch;
  const endedAt = batch.endedMs === null ? null : batch.endedMs / 1000;
  const base = { raw: status, counts: countsOf(batch), lines: [], refs: {}, details, endedAt };
  if (status !== 'ended') return { ...base, state: 'running', reason: null, failure: null };
  if (batch.isArchived) return { ...base, state: 'failed', reason: 'expired', failure: archived() };
  // It ends before its results can be read.
  if (resultsUrl === null) return { ...base, state: 'running', reason: null, failure: null };
  const reason = batch.isCancelled && counts.canceled > 0 ? 'cancelled' : counts.expired > 0 ? 'expired' : 'completed';
  return { ...base, state: 'ended', reason, failure: null };
}

/** Counts other than `processing` stay 0 until the whole batch has ended. */
function countsOf({ counts, ...batch }: RemoteBatch): Progress['counts'] {
  const failed = counts.errored + counts.canceled + counts.expired;
  return { total: sizeOf({ counts, ...batch }), succeeded: counts.succeeded, failed };
}

/** Results are kept for 29 days from the creation of the batch. */
function archived(): Failure {
  const failure = badResponse(
    200,
    'The results of the batch have expired: they are kept for 29 days.',
    'results_expired',
  );
  return { ...failure, kind: 'not_found' };
}

const queuePattern = /\bqueue\b|batch requests|enqueued|too many batches/i;

/** The failure of a call to the batch service. A full processing queue is a matter of time, not of pace. */
export function failureOfControl(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>>,
  context: AnswerContext,
): Failure {
  if (status >= 300 && status < 400) {
    const message = `${context.provider} answered with a redirect (${status}), which is not followed.`;
    return badResponse(status, message, 'redirect_refused');
  }
  const failure = failureOfError(body, status, headers, context);
  const isFull = failure.kind === 'rate_limited' && queuePattern.test(failure.message);
  return isFull ? { ...failure, kind: 'quota_full', code: 'quota_full' } : failure;
}
