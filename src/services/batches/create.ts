import { emptyUsage, toBatchUsage } from '../../core/usage.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchFront, BatchRow } from '../../ports/store-batches.ts';
import type { BatchCreate, BatchObject } from '../../protocol/batch.ts';
import { refusedHold, reserveBatch } from '../budgets/reserve-batch.ts';
import { tooManyBatches } from '../keys/limiter.ts';
import { readBatchOptions } from './batch-options.ts';
import { checkCreate } from './check-create.ts';
import { presentBatch } from './present.ts';

/**
 * Creates a batch in `validating`; its lines are checked and divided in the background. What can be told at once (an
 * unknown file, endpoint, window or route, a key with too many batches, a budget without room for it) is a 4xx here.
 */
export async function createBatch(
  deps: Deps,
  context: Context,
  input: BatchCreate & {
    retryOf?: Pick<BatchRow, 'id' | 'configName' | 'options' | 'priority'>;
    front?: BatchFront;
  },
): Promise<BatchObject> {
  const id = context.newId('batch_');
  // What it was made of may be gone by now, and so may the room in its budget; it is there all the same.
  const made = context.repeats === true ? await deps.store.batches.get('all', id) : null;
  if (made !== null) return presentBatch(made);
  const { endpoint, seconds, file, route, now } = await checkCreate(deps, context, input);
  const liveMax = await deps.limiter.admitBatch(context.actor.keyId);
  const row: BatchRow = {
    ...newBatchRow(),
    id,
    // Results stay with whoever owns the input, also when an administrator starts the batch.
    tenantId: file.tenantId,
    keyId: context.actor.keyId,
    endpoint,
    completionWindow: input.completion_window,
    inputFileId: file.id,
    metadata: input.metadata ?? null,
    // A retry runs on the route as its first batch resolved it, and goes by its name.
    configName: input.retryOf ? input.retryOf.configName : (route?.name ?? null),
    route: route?.route ?? null,
    outputExpiresAfterSeconds: input.output_expires_after?.seconds ?? null,
    retryOf: input.retryOf?.id ?? null,
    front: input.front ?? null,
    priority: input.retryOf?.priority ?? input.priority ?? 0,
    options: input.retryOf ? input.retryOf.options : readBatchOptions(deps, input),
    createdAt: now,
    expiresAt: now + seconds,
  };
  const { hold, estimate } = await reserveBatch(deps, row, file);
  const stored = await deps.store.batches.insertWithin({ ...row, estimate }, { liveMax, hold });
  // What is held or spent may have changed since it was looked at.
  if (stored === null) throw (await refusedHold(deps, hold, now)) ?? tooManyBatches(liveMax ?? 0);
  deps.nudge('batches');
  return presentBatch(stored);
}

function newBatchRow(): Omit<
  BatchRow,
  | 'id'
  | 'tenantId'
  | 'keyId'
  | 'endpoint'
  | 'completionWindow'
  | 'inputFileId'
  | 'metadata'
  | 'configName'
  | 'route'
  | 'outputExpiresAfterSeconds'
  | 'retryOf'
  | 'front'
  | 'priority'
  | 'options'
  | 'createdAt'
  | 'expiresAt'
> {
  return {
    status: 'validating',
    stop: null,
    pausedAt: null,
    errors: null,
    model: null,
    outputFileId: null,
    errorFileId: null,
    inProgressAt: null,
    finalizingAt: null,
    completedAt: null,
    failedAt: null,
    expiredAt: null,
    cancellingAt: null,
    cancelledAt: null,
    total: 0,
    completed: 0,
    failed: 0,
    usage: toBatchUsage(emptyUsage),
    amountNano: 0n,
    listAmountNano: 0n,
    entries: 0,
    unpricedEntries: 0,
    lanes: [],
    lanesKey: null,
    openSegments: 0,
    frontDeletedAt: null,
    neverRun: null,
  };
}
