import { ApiError } from '../../core/api-error.ts';
import { emptyUsage, toBatchUsage } from '../../core/usage.ts';
import { windowSeconds } from '../../core/window.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import { scopeOf } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { BatchCreate, BatchObject } from '../../protocol/batch.ts';
import { ENDPOINTS, parseEndpoint } from '../../protocol/endpoint.ts';
import { resolveRoute } from '../routes/resolve.ts';
import { presentBatch } from './present.ts';

/**
 * Creates a batch in `validating`; its lines are checked and divided in the background. What can be told at once (an
 * unknown file, endpoint, window or route) is a 4xx here.
 */
export async function createBatch(
  deps: Deps,
  context: Context,
  input: BatchCreate & { retryOf?: Pick<BatchRow, 'id' | 'configName'> },
): Promise<BatchObject> {
  const endpoint = parseEndpoint(input.endpoint);
  if (!endpoint) {
    throw new ApiError(
      400,
      `Invalid value: '${input.endpoint.slice(0, 128)}'. Supported values are: ${ENDPOINTS.map((e) => `'${e}'`).join(', ')}.`,
      { code: 'invalid_value', param: 'endpoint' },
    );
  }
  const seconds = windowSeconds(input.completion_window, deps.settings.immediateWindowSeconds);
  if (seconds === null) {
    throw new ApiError(
      400,
      `Invalid value: '${input.completion_window.slice(0, 64)}'. Use 'immediate', or a number of minutes, hours or days up to 30 days, such as '24h'.`,
      { code: 'invalid_value', param: 'completion_window' },
    );
  }
  const now = unixSeconds(deps.clock);
  const file = await deps.store.files.get(scopeOf(context.actor), input.input_file_id);
  if (!file || (file.expiresAt !== null && file.expiresAt <= now)) {
    throw new ApiError(400, `No such File object: '${input.input_file_id.slice(0, 128)}'. Upload it first.`, {
      code: 'file_not_found',
      param: 'input_file_id',
    });
  }
  if (file.purpose !== 'batch' || file.planKey === null) {
    throw new ApiError(
      400,
      `File '${file.id}' has purpose '${file.purpose}'; a batch needs a file uploaded with purpose 'batch'.`,
      { code: 'invalid_file_purpose', param: 'input_file_id' },
    );
  }
  const route = input.config == null ? null : await resolveRoute(deps, context.actor, input.config);
  const stored = await deps.store.batches.insert({
    ...newBatchRow(),
    id: context.newId('batch_'),
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
    createdAt: now,
    expiresAt: now + seconds,
  });
  deps.nudge();
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
  };
}
