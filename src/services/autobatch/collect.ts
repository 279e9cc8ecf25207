import { isTerminal } from '../../core/batch-state.ts';
import { BUDGET_EXCEEDED } from '../../core/budget-scope.ts';
import { LineFramer } from '../../core/jsonl.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { ResultLine } from '../../protocol/result-line.ts';
import { batchOutput } from '../batches/output.ts';
import { areResultsGone } from '../batches/results-gone.ts';
import { givenUp } from '../results/given-up.ts';
import { wholeRecords } from '../results/read-index.ts';

const PARTS_AT_ONCE = 16;
const ANSWERS_AT_ONCE = 200;

export interface Collected {
  /** Calls that have an answer now. */
  ids: string[];
  /** The last part that was read. */
  after: string | null;
  /** Every call of the group has an answer. */
  ended: boolean;
}

/** Lines that were never sent. */
const STATUSES: ReadonlyMap<string, number> = new Map([
  ['batch_expired', 504],
  ['batch_cancelled', 409],
  [BUDGET_EXCEEDED, 429],
]);

interface Answer {
  id: string;
  status: number;
  answer: string;
}

/** Keeps the answers that a group's batch has brought since the part `after`; all that is left when it has ended. */
export async function collectAnswers(
  deps: Deps,
  group: { groupId: string; batchId: string },
  after: string | null,
  signal: AbortSignal,
): Promise<Collected> {
  const ids: string[] = [];
  const keep = async (answers: readonly Answer[]): Promise<void> => {
    await deps.store.parkedCalls.answer(answers);
    for (const { id } of answers) ids.push(id);
  };
  // The status is read before the parts: a batch that ended by then has all its parts in the list.
  const batch = await deps.store.batches.get('all', group.batchId);
  let last = after;
  // Results that their owner has deleted come no more.
  if (batch === null || batch.status === 'failed' || (await areResultsGone(deps, batch))) {
    await keep(await failedAnswers(deps, group.groupId, batch));
    return { ids, after: last, ended: true };
  }
  for (;;) {
    const parts = await deps.store.segments.partsSince(group.batchId, last, PARTS_AT_ONCE);
    for (const part of parts) {
      const answers: Answer[] = [];
      for await (const record of wholeRecords(givenUp(deps).files, part)) answers.push(answerOf(record));
      await keep(answers);
      last = part.key;
    }
    if (parts.length < PARTS_AT_ONCE) break;
  }
  if (!isTerminal(batch.status)) return { ids, after: last, ended: false };
  await keepRest(deps, batch, signal, keep);
  return { ids, after: last, ended: true };
}

/** Lines that ended without a result (expired, cancelled, lost) stand in the whole output only. */
async function keepRest(
  deps: Deps,
  batch: BatchRow,
  signal: AbortSignal,
  keep: (answers: readonly Answer[]) => Promise<void>,
): Promise<void> {
  if (batch.total === batch.completed && batch.failed === 0) return;
  const actor = { tenantId: batch.tenantId, keyId: batch.keyId, role: 'user' } as const;
  const newId = (): string => {
    throw new Error('reading an output makes no ids');
  };
  const { bytes } = await batchOutput(deps, { actor, newId, signal }, batch.id, { follow: false });
  let waiting: Answer[] = [];
  const framer = new LineFramer(Number.MAX_SAFE_INTEGER, (line) => {
    if (line !== null && line.length > 0) waiting.push(answerOf(line));
  });
  for await (const chunk of bytes) {
    framer.push(chunk);
    if (waiting.length < ANSWERS_AT_ONCE) continue;
    await keep(waiting);
    waiting = [];
  }
  framer.end();
  await keep(waiting);
}

function answerOf(bytes: Uint8Array): Answer {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const { custom_id: id, response, error } = JSON.parse(text) as ResultLine;
  if (response !== null) return { id, status: response.status_code, answer: JSON.stringify(response.body) };
  const code = error?.code ?? 'error';
  const status = STATUSES.get(code) ?? 502;
  return { id, status, answer: errorText(code, error?.message ?? 'The request was not answered.') };
}

async function failedAnswers(deps: Deps, groupId: string, batch: BatchRow | null): Promise<Answer[]> {
  const [error] = batch?.status === 'failed' ? (batch.errors ?? []) : [];
  const isDeleted = batch !== null && batch.status !== 'failed';
  const code = isDeleted ? 'results_gone' : 'batch_failed';
  const message = isDeleted
    ? 'The results of the batch of this request were deleted before it was answered.'
    : 'The batch of this request is gone.';
  const answer = errorText(error?.code ?? code, error?.message ?? message);
  return (await deps.store.parkedCalls.ofGroup(groupId)).map(({ id }) => ({ id, status: 502, answer }));
}

function errorText(code: string, message: string): string {
  return JSON.stringify({ error: { message, type: 'server_error', param: null, code } });
}
