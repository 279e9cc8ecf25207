import type { Failure } from '../../src/core/failure.ts';
import {
  type BatchCall,
  type ProviderBatch,
  ProviderError,
  type ProviderRefs,
  type RemoteObject,
} from '../contract.ts';
import { parseAnswer } from '../shared/answer.ts';
import { isFields } from '../shared/error-body.ts';
import { badResponse } from '../shared/openai-status.ts';
import { checkResultsUrl, downloadLines } from './batch-results.ts';
import { type Mark, markIn, markOf, tokenIn } from './batch-token.ts';
import type { AnthropicAccess } from './client.ts';
import { openControl } from './control.ts';
import { type RemoteBatch, sizeOf } from './status.ts';

/** How far the clocks may differ, and how long after the beginning of a create call its batch may appear. */
const earlierMs = 900_000;
const laterMs = 7_200_000;
/** How far back a token without a time is looked for: what is older has ended and was harvested. */
const lookBackMs = 172_800_000;

/**
 * The batch of a token. A batch tells its token only by its results, once it has ended: while one of the right size and time
 * is still running, nobody can say, and `find` rejects with `submission_unclear`. Submitting again then could double the
 * work; waiting costs nothing, because a batch that is ours has to end anyway.
 */
export async function findBatch(
  token: string,
  refs: ProviderRefs,
  access: AnthropicAccess,
  call: BatchCall,
): Promise<ProviderBatch | null> {
  if (refs.batch_id !== undefined && refs.token === token) return { id: refs.batch_id, refs };
  const mark = await markOf(token);
  const submittedMs = refs.token === token && refs.submitted_ms !== undefined ? Number(refs.submitted_ms) : null;
  const from = submittedMs === null ? call.nowMs - lookBackMs : submittedMs - earlierMs;
  const until = submittedMs === null ? Number.POSITIVE_INFINITY : submittedMs + laterMs;
  const lines = refs.token === token && refs.lines !== undefined ? Number(refs.lines) : null;
  let found: RemoteBatch | null = null;
  let isUnclear = false;
  for await (const { batch } of (await openControl(access, call)).list()) {
    if (batch.createdMs < from) break;
    if (batch.createdMs > until || (lines !== null && sizeOf(batch) !== lines)) continue;
    if (batch.status !== 'ended') isUnclear = true;
    // The oldest one wins, so that the answer does not change.
    else if (isMarked(await firstCustomId(batch, access, call), mark)) found = batch;
  }
  if (found !== null) return { id: found.id, refs: { ...refs, token, batch_id: found.id } };
  if (isUnclear) throw new ProviderError(unclear(access));
  return null;
}

function isMarked(customId: string | null, { token, hash }: Mark): boolean {
  const carried = customId === null ? null : markIn(customId);
  return carried !== null && (carried === token || carried === hash);
}

/** The custom_id of the first result of a batch that has ended; null when there is none. */
async function firstCustomId(batch: RemoteBatch, access: AnthropicAccess, call: BatchCall): Promise<string | null> {
  if (batch.resultsUrl === null || batch.isArchived) return null;
  for await (const { line: bytes } of downloadLines(checkResultsUrl(batch.resultsUrl, access), access, call)) {
    const line = bytes === null ? null : parseAnswer(bytes).json;
    return isFields(line) && typeof line.custom_id === 'string' ? line.custom_id : null;
  }
  return null;
}

/**
 * Batches of ours. Only those that have ended can be told from somebody else's, by the token in their results; a token that
 * is carried as a hash cannot be told at all.
 */
export async function* listOurs(access: AnthropicAccess, call: BatchCall): AsyncGenerator<RemoteObject> {
  for await (const { batch } of (await openControl(access, call)).list()) {
    const customId = batch.status === 'ended' ? await firstCustomId(batch, access, call) : null;
    const token = customId === null ? null : tokenIn(customId);
    if (token === null) continue;
    const createdAt = Math.floor(batch.createdMs / 1000);
    yield { kind: 'batch', id: batch.id, token, createdAt, refs: { token, batch_id: batch.id }, live: false };
  }
}

function unclear({ provider }: AnthropicAccess): Failure {
  const message = `A batch at ${provider} may be this one; it tells when it has ended, and nothing is sent again until then.`;
  return { ...badResponse(200, message, 'submission_unclear'), kind: 'server_error', retryAfterMs: 60_000 };
}
