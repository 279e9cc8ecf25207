import { REFUSED_MODEL, refusedFailure } from '../../core/refused-request.ts';
import { createLaneAssigner } from '../../core/routing.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchEstimate, BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { BatchError } from '../../protocol/batch.ts';
import { discoverModels } from '../models/discover.ts';
import { resolveFor } from '../models/resolve.ts';
import { divide, lanesKey } from './divide.ts';
import { DivisionRecord } from './dry-division.ts';
import { findErrors } from './find-errors.ts';
import { ESTIMATED_LINES, firstEstimate } from './first-estimate.ts';
import { isInputWhole } from './input-lost.ts';

/** Rows of work that are stored with the start; more go before it. */
const ROWS_WITH_START = 1_000;
/** A provider that is down for a moment must not cost the lines that only it could take. */
const PATIENCE_SECONDS = 300;

/** What became of a batch, to be given back: whether it has ended, and the estimate to be kept with it, if there is one. */
export interface StartOutcome {
  ended: boolean;
  estimate?: BatchEstimate | null | undefined;
}

/**
 * Takes a batch from `validating` to `in_progress`: judges what the upload found, gives every line its lane, and cuts
 * lanes into segments and shards. As with OpenAI, one line that is not a valid request fails the whole batch before anything is
 * sent; a line whose model has no target fails alone. Running it again after a crash gives the same lanes and segments.
 */
export async function startBatch(
  deps: Deps,
  batch: BatchRow,
  input: FileRow | null,
  token: string,
): Promise<StartOutcome> {
  const now = unixSeconds(deps.clock);
  if (!input?.plan || !(await isInputWhole(deps, batch, input))) {
    return { ended: await deps.store.batches.fail(batch.id, token, { now, errors: [inputGone(batch)] }) };
  }
  const errors = await findErrors(deps, batch, input, input.plan);
  if (errors.length > 0) {
    return { ended: await deps.store.batches.fail(batch.id, token, { now, errors }) };
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
  const record = input.plan.requests > ESTIMATED_LINES ? null : new DivisionRecord();
  const { refused, segments, lanes } = await divide(record?.beside(deps) ?? deps, batch, input, input.plan, assigner);
  const unknown = lanes.some((lane) => lane.kind === 'refuse' && lane.failure.code !== refusedFailure().code);
  if (unknown && now - batch.createdAt < PATIENCE_SECONDS && (await someProviderIsSilent(deps))) {
    throw new Error('lines name models that no provider lists, and a provider does not answer: waiting for it');
  }
  const rows = record === null ? undefined : await restOf(deps, record);
  const started = await deps.store.batches.start(batch.id, token, {
    now: unixSeconds(deps.clock),
    total: input.plan.requests,
    refused,
    model: models.length === 1 ? (models[0]?.name ?? null) : null,
    lanes,
    lanesKey: lanesKey(batch),
    segments,
    ...(rows !== undefined && { rows }),
  });
  if (!started) return { ended: false };
  // Its lines are sent while the estimate is made.
  deps.nudge('batches');
  return { ended: false, estimate: record && (await firstEstimate(deps, batch, input, record.division(lanes))) };
}

/** Stores what are too many rows for the write of the start; answers the rest. */
async function restOf(
  deps: Deps,
  { segments, shards }: DivisionRecord,
): Promise<Pick<DivisionRecord, 'segments' | 'shards'>> {
  if (segments.length + shards.length <= ROWS_WITH_START) return { segments, shards };
  for (let from = 0; from < segments.length; from += ROWS_WITH_START) {
    await deps.store.segments.insertMany(segments.slice(from, from + ROWS_WITH_START));
  }
  for (let from = 0; from < shards.length; from += ROWS_WITH_START) {
    await deps.store.shards.insertMany(shards.slice(from, from + ROWS_WITH_START));
  }
  return { segments: [], shards: [] };
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
