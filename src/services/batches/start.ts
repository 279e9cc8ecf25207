import { REFUSED_MODEL, refusedFailure } from '../../core/refused-request.ts';
import { createLaneAssigner } from '../../core/routing.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { BatchError } from '../../protocol/batch.ts';
import { discoverModels } from '../models/discover.ts';
import { resolveFor } from '../models/resolve.ts';
import { divide, lanesKey } from './divide.ts';
import { findErrors } from './find-errors.ts';
import { isInputWhole } from './input-lost.ts';
import { keepEstimate } from './keep-estimate.ts';

/** A provider that is down for a moment must not cost the lines that only it could take. */
const PATIENCE_SECONDS = 300;

/**
 * Takes a batch from `validating` to `in_progress`: judges what the upload found, gives every line its lane, and cuts
 * lanes into segments and shards. As with OpenAI, one line that is not a valid request fails the whole batch before anything is
 * sent; a line whose model has no target fails alone. Running it again after a crash gives the same lanes and segments.
 */
export async function startBatch(deps: Deps, batch: BatchRow, input: FileRow | null, token: string): Promise<void> {
  const now = unixSeconds(deps.clock);
  if (!input?.plan || !(await isInputWhole(deps, batch, input))) {
    await deps.store.batches.fail(batch.id, token, { now, errors: [inputGone(batch)] });
    return;
  }
  const errors = await findErrors(deps, batch, input, input.plan);
  if (errors.length > 0) {
    await deps.store.batches.fail(batch.id, token, { now, errors });
    return;
  }
  // What was refused before it came here asks no provider for anything.
  const models = input.plan.models.filter(({ name }) => name !== REFUSED_MODEL);
  const options = await resolveFor(deps, {
    tenantId: batch.tenantId,
    batchRoute: batch.route,
    metadata: batch.metadata,
    models: models.map(({ name }) => name),
  });
  const assigner = createLaneAssigner(options);
  const { refused, segments, lanes } = await divide(deps, batch, input, input.plan, assigner);
  const unknown = lanes.some((lane) => lane.kind === 'refuse' && lane.failure.code !== refusedFailure().code);
  if (unknown && now - batch.createdAt < PATIENCE_SECONDS && (await someProviderIsSilent(deps))) {
    throw new Error('lines name models that no provider lists, and a provider does not answer: waiting for it');
  }
  const started = await deps.store.batches.start(batch.id, token, {
    now: unixSeconds(deps.clock),
    total: input.plan.requests,
    refused,
    model: models.length === 1 ? (models[0]?.name ?? null) : null,
    lanes,
    lanesKey: lanesKey(batch),
    segments,
  });
  if (!started) return;
  // Its lines are sent while the estimate is made.
  deps.nudge();
  await keepEstimate(deps, batch, { ...input, plan: input.plan }, options);
}

async function someProviderIsSilent(deps: Deps): Promise<boolean> {
  const lists = await discoverModels(deps);
  return [...lists.values()].some((list) => list.models === null && list.error !== null);
}

function inputGone(batch: BatchRow): BatchError {
  return {
    code: 'file_not_found',
    message: `The input file ${batch.inputFileId} is gone. Upload it again and create a new batch.`,
    param: 'input_file_id',
    line: null,
  };
}
