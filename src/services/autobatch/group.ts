import { createHash } from 'node:crypto';
import { ApiError } from '../../core/api-error.ts';
import { formatId, ID_BYTES, type IdPrefix } from '../../core/ids.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { ParkedCallRow, WaitingCalls } from '../../ports/store-parked-calls.ts';
import { createBatch } from '../batches/create.ts';
import { isRefusedForGood } from '../budgets/insufficient.ts';
import { createFile } from '../files/create.ts';

/** Takes the calls of every kind that is due into groups; with `all`, every kind. Answers how many it took. */
export async function groupDue(deps: Deps, all: boolean): Promise<number> {
  let taken = 0;
  for (const kind of await deps.store.parkedCalls.waiting()) {
    if (!all && !isDue(deps, kind)) continue;
    const { autobatchCalls: limit } = deps.settings;
    for (let left = kind.calls; left > 0; left -= limit) {
      const groupId = formatId('group_', deps.random.bytes(ID_BYTES));
      taken += await deps.store.parkedCalls.take(kind.groupKey, groupId, limit);
    }
  }
  return taken;
}

function isDue({ clock, settings }: Deps, { calls, bytes, oldest }: WaitingCalls): boolean {
  if (calls >= settings.autobatchCalls || bytes >= settings.autobatchBytes) return true;
  return clock.now() - oldest * 1_000 >= settings.autobatchWaitMs;
}

/**
 * Makes the batch of a group: a file of its calls, in order, then the batch on it. Ids derive from the group's, and
 * both steps answer what is there already: repeated after a crash they make nothing twice. Answers the ids of calls that
 * have an answer now: those of a group that is refused, as no later try would be answered otherwise (its route is gone, its
 * key may store no more, no budget has room for it).
 */
export async function startGroup(deps: Deps, groupId: string, signal: AbortSignal): Promise<string[]> {
  const calls = await deps.store.parkedCalls.ofGroup(groupId);
  const [first] = calls;
  if (first === undefined) return [];
  let batchId: string;
  try {
    batchId = await makeBatch(deps, contextOf(groupId, first, signal), { groupId, calls, first });
  } catch (error) {
    if (error instanceof ApiError && isRefusedForGood(error)) return refuse(deps, calls, error);
    throw error;
  }
  await deps.store.parkedCalls.setBatch(groupId, batchId);
  deps.log.info({ batch: batchId, calls: calls.length, at: unixSeconds(deps.clock) }, 'parked calls became a batch');
  return [];
}

/** Answers the batch's id. */
async function makeBatch(
  deps: Deps,
  context: Context,
  { groupId, calls, first }: { groupId: string; calls: readonly ParkedCallRow[]; first: ParkedCallRow },
): Promise<string> {
  // Made before a crash, it is there whatever became of its route and its file since.
  const made = await deps.store.batches.get('all', context.newId('batch_'));
  if (made !== null) return made.id;
  const file = await createFile(deps, context, {
    content: lines(calls),
    purpose: 'batch',
    details: () => Promise.resolve({ filename: `${groupId}.jsonl`, purpose: 'batch', expiresAfterSeconds: null }),
  });
  const batch = await createBatch(deps, context, {
    input_file_id: file.id,
    endpoint: first.endpoint,
    completion_window: first.window,
    ...(first.metadata !== null && { metadata: first.metadata }),
    ...(first.config !== null && { config: first.config as string | Record<string, unknown> }),
  });
  return batch.id;
}

async function refuse(deps: Deps, calls: readonly ParkedCallRow[], error: ApiError): Promise<string[]> {
  const answer = JSON.stringify(error.toEnvelope());
  await deps.store.parkedCalls.answer(calls.map(({ id }) => ({ id, status: error.status, answer })));
  return calls.map(({ id }) => id);
}

async function* lines(calls: readonly ParkedCallRow[]): AsyncGenerator<Uint8Array> {
  for (const { id, endpoint, body } of calls) {
    yield Buffer.from(
      `{"custom_id":${JSON.stringify(id)},"method":"POST","url":${JSON.stringify(endpoint)},"body":${body}}\n`,
    );
  }
}

function contextOf(groupId: string, { tenantId, keyId }: ParkedCallRow, signal: AbortSignal): Context {
  return {
    actor: { tenantId, keyId, role: 'user' },
    newId: (prefix: IdPrefix) => {
      const bytes = createHash('sha256').update(`${prefix} ${groupId}`).digest();
      return formatId(prefix, bytes.subarray(0, ID_BYTES));
    },
    signal,
  };
}
