import type { Failure, FailureKind } from '../../src/core/failure.ts';
import type { Progress, ProviderRefs } from '../contract.ts';
import type { RemoteBatch, RemoteError } from './openai-batch-object.ts';
import { isMoneyMissing, typeOf } from './openai-status.ts';
import { redact } from './redact.ts';

type Verdict = { state: Progress['state']; reason: Progress['reason'] };

const running: Verdict = { state: 'running', reason: null };

/** Every status word of the dialects, in lower case. A word that is not here keeps the batch running. */
const verdicts: ReadonlyMap<string, Verdict> = new Map<string, Verdict>([
  // openai/openai-openapi, Batch.status; Together's are the same in capitals.
  ['validating', running],
  ['in_progress', running],
  ['finalizing', running],
  ['cancelling', running],
  ['completed', { state: 'ended', reason: 'completed' }],
  ['failed', { state: 'failed', reason: 'failed' }],
  ['expired', { state: 'ended', reason: 'expired' }],
  ['cancelled', { state: 'ended', reason: 'cancelled' }],
  // Azure's own documentation spells it so.
  ['canceled', { state: 'ended', reason: 'cancelled' }],
  // Mistral, BatchJobStatus.
  ['queued', running],
  ['running', running],
  ['cancellation_requested', running],
  ['success', { state: 'ended', reason: 'completed' }],
  ['timeout_exceeded', { state: 'ended', reason: 'expired' }],
]);

/** Output ids may come some polls after the word that ends the batch; later than this they do not come. */
const outputGraceSeconds = 600;
/** The longest window, and a margin, for a batch that never says when it ended. */
const unknownEndSeconds = 8 * 86_400;

function verdictOf({ status }: RemoteBatch): Verdict {
  return verdicts.get(status.toLowerCase().replace(/[\s-]/g, '_')) ?? running;
}

/** True while a batch can still cost money, as far as its word tells. */
export function isLive(batch: RemoteBatch): boolean {
  return verdictOf(batch).state === 'running';
}

/** What was found out about a batch whose files are awaited: since when, by our clock (Unix seconds). */
const AWAITED_SINCE = 'output_awaited_since';

/** What a batch object means. `details` is the untouched answer, `known` the refs of earlier looks. */
export function progressOf(
  batch: RemoteBatch,
  details: unknown,
  secrets: readonly string[],
  { nowMs, known = {} }: { nowMs: number; known?: ProviderRefs },
): Progress {
  let verdict = verdictOf(batch);
  // A batch that failed with an output has run: its lines are results.
  if (verdict.state === 'failed' && batch.outputFileId !== null) verdict = { state: 'ended', reason: 'failed' };
  const now = Math.floor(nowMs / 1000);
  const isMissing = verdict.state !== 'running' && lacksFiles(batch, verdict.reason);
  const since = Number(known[AWAITED_SINCE] ?? now);
  if (isMissing && mayStillCome(batch, since, now)) verdict = running;
  const failed = verdict.state === 'failed' ? failureOfBatch(batch, secrets) : null;
  return {
    ...verdict,
    raw: batch.status,
    counts: batch.counts,
    failure: failed?.failure ?? null,
    lines: failed?.lines ?? [],
    refs: {
      ...(batch.outputFileId !== null && { output_file_id: batch.outputFileId }),
      ...(batch.errorFileId !== null && { error_file_id: batch.errorFileId }),
      ...(isMissing && { [AWAITED_SINCE]: String(since) }),
    },
    endedAt: batch.endedAt,
    ...(batch.usage && { usage: batch.usage }),
    details,
  };
}

/** True while the ids of files that must exist are missing. */
function lacksFiles({ counts, outputFileId, errorFileId }: RemoteBatch, reason: Progress['reason']): boolean {
  if (counts === null) return reason === 'completed' && outputFileId === null && errorFileId === null;
  if (counts.succeeded > 0 && outputFileId === null) return true;
  return reason === 'completed' && counts.failed > 0 && errorFileId === null && outputFileId === null;
}

/** Counted from when we first missed them, as the provider's clock may be hours off ours. */
function mayStillCome({ createdAt, endedAt }: RemoteBatch, since: number, now: number): boolean {
  if (endedAt !== null) return now - since < outputGraceSeconds;
  return createdAt === null || now - createdAt < unknownEndSeconds;
}

/** OpenAI reports its queued-token limit as `token_limit_exceeded`; the wording is the same for queued requests. */
const quotaWords =
  /token_limit_exceeded|\benqueued\b|\b(?:files?|batch(?:es)?|jobs?)\b[^.]{0,60}\b(?:quota|limit)\b[^.]{0,60}\b(?:exceeded|reached|surpassed)|maximum (?:number|amount) of (?:active )?(?:files|batches|jobs)/i;

/** True when a text or code of the service says that its queue, job slots or files are full. */
export function isQuotaFull(...words: (string | null)[]): boolean {
  return words.some((word) => word !== null && quotaWords.test(word));
}

/** A refusal of the service as the batch contract names it: full quotas come under 400, 403 and 429 alike. */
export function asBatchFailure(failure: Failure): Failure {
  const canBeQuota = failure.status !== null && failure.status >= 400 && failure.status < 500;
  if (!canBeQuota || !isQuotaFull(failure.code, failure.message)) return failure;
  return { ...failure, kind: 'quota_full', type: typeOf('quota_full') };
}

const kindByCode: Readonly<Record<string, FailureKind>> = {
  model_not_found: 'not_found',
  input_no_permissions: 'permission',
  // Azure: the blob was changed while the batch was validated.
  input_modified: 'server_error',
  server_error: 'server_error',
  internal_error: 'server_error',
};

function failureOfBatch(batch: RemoteBatch, secrets: readonly string[]): Pick<Progress, 'failure' | 'lines'> {
  const { errors } = batch;
  const full = errors.find(({ code, message }) => isQuotaFull(code, message));
  if (full !== undefined)
    return { failure: { ...toFailure(full, secrets), kind: 'quota_full', type: typeOf('quota_full') }, lines: [] };
  const lines = errors.flatMap((error) =>
    error.line === null ? [] : [{ line: error.line, failure: toFailure(error, secrets) }],
  );
  const first = errors[0];
  if (first === undefined) {
    const silent = {
      code: 'batch_failed',
      message: 'The batch failed and the service did not say why.',
      param: null,
      line: null,
    };
    return { failure: { ...toFailure(silent, secrets), kind: 'server_error', type: 'server_error' }, lines };
  }
  const failure = toFailure(first, secrets);
  return {
    failure: lines.length === 0 ? failure : { ...failure, kind: 'invalid_request', type: typeOf('invalid_request') },
    lines,
  };
}

/** One of `errors.data[]`; a code that is not known speaks of the input. */
function toFailure({ code, message, param }: RemoteError, secrets: readonly string[]): Failure {
  const kind = isMoneyMissing(code) ? 'quota_exhausted' : (kindByCode[code ?? ''] ?? 'invalid_request');
  return {
    kind,
    status: null,
    code: code === null ? 'batch_failed' : redact(code, secrets),
    message: redact(message ?? `The batch was refused: ${code ?? 'no reason given'}.`, secrets),
    param: param === null ? null : redact(param, secrets),
    type: typeOf(kind),
    retryAfterMs: null,
    reachedProvider: true,
  };
}
