import { Buffer } from 'node:buffer';
import type { PlanSummary } from '../../core/plan.ts';
import { LINE_BLANK, LINE_INVALID, PLAN_RECORD_BYTES, readPlanRecord } from '../../core/plan.ts';
import type { LaneAssigner } from '../../core/routing.ts';
import { createLaneAssigner } from '../../core/routing.ts';
import { parseRequestLine } from '../../core/validate-input.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { BatchError } from '../../protocol/batch.ts';
import { endpointFamily } from '../../protocol/endpoint.ts';
import { discoverModels } from '../models/discover.ts';
import { resolveFor } from '../models/resolve.ts';
import { Segmenter } from './segmenter.ts';

/** Plan records looked at together: one megabyte. */
const WINDOW_LINES = 65_536;

/** A provider that is down for a moment must not cost the lines that only it could take. */
const PATIENCE_SECONDS = 300;

/**
 * Takes a batch from `validating` to `in_progress`: judges what the upload found, gives every line its lane, and cuts
 * lanes into segments. As with OpenAI, one line that is not a valid request fails the whole batch before anything is
 * sent; a line whose model has no target fails alone. Running it again after a crash gives the same lanes and segments.
 */
export async function startBatch(deps: Deps, batch: BatchRow, token: string): Promise<void> {
  const input = await deps.store.files.getAny(batch.inputFileId);
  const now = unixSeconds(deps.clock);
  if (!input?.plan || (await deps.files.size(input.contentKey)) === null) {
    await deps.store.batches.fail(batch.id, token, { now, errors: [inputGone(batch)] });
    return;
  }
  const errors = await findErrors(deps, batch, input, input.plan);
  if (errors.length > 0) {
    await deps.store.batches.fail(batch.id, token, { now, errors });
    return;
  }
  const models = input.plan.models;
  const assigner = createLaneAssigner(
    await resolveFor(deps, {
      tenantId: batch.tenantId,
      batchRoute: batch.route,
      metadata: batch.metadata,
      models: models.map(({ name }) => name),
    }),
  );
  const { refused, segments } = await assignLanes(deps, batch, input, input.plan, assigner);
  if (refused > 0 && now - batch.createdAt < PATIENCE_SECONDS && (await someProviderIsSilent(deps))) {
    throw new Error('lines name models that no provider lists, and a provider does not answer: waiting for it');
  }
  await deps.store.batches.start(batch.id, token, {
    now: unixSeconds(deps.clock),
    total: input.plan.requests,
    refused,
    model: models.length === 1 ? (models[0]?.name ?? null) : null,
    lanes: [...assigner.lanes],
    lanesKey: lanesKey(batch),
    segments,
  });
}

async function someProviderIsSilent(deps: Deps): Promise<boolean> {
  const lists = await discoverModels(deps);
  return [...lists.values()].some((list) => list.models === null && list.error !== null);
}

function lanesKey(batch: BatchRow): string {
  return `batches/${batch.id}/lanes`;
}

async function assignLanes(
  deps: Deps,
  batch: BatchRow,
  input: FileRow,
  plan: PlanSummary,
  assigner: LaneAssigner,
): Promise<{ refused: number; segments: number }> {
  const limits = { lines: deps.settings.segmentLines, bytes: deps.settings.segmentBytes };
  const segmenter = new Segmenter(deps.store.segments, batch, limits);
  const writer = await deps.files.create(lanesKey(batch));
  let refused = 0;
  try {
    for (let first = 0; first < plan.lines; first += WINDOW_LINES) {
      const count = Math.min(WINDOW_LINES, plan.lines - first);
      const view = await readPlan(deps, input, first, count);
      const lanes = new DataView(new ArrayBuffer(count * 2));
      for (let index = 0; index < count; index++) {
        const record = readPlanRecord(view, index);
        if (record.flags & (LINE_BLANK | LINE_INVALID)) continue;
        const model = plan.models[record.model]?.name ?? '';
        const endpoint = plan.endpoints[record.endpoint]?.endpoint ?? batch.endpoint;
        const body = assigner.needsBody(model)
          ? parseRequestLine(await deps.files.readRange(input.contentKey, record)).body
          : undefined;
        const number = assigner.assign({ model, endpoint, bytes: record.length, body });
        lanes.setUint16(index * 2, number, true);
        const lane = assigner.lanes[number];
        if (lane?.kind === 'run') segmenter.add(number, lane, first + index, record.length);
        else refused += 1;
      }
      await writer.write(new Uint8Array(lanes.buffer));
      await segmenter.flush();
    }
    await segmenter.end();
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return { refused, segments: segmenter.count };
}

async function findErrors(deps: Deps, batch: BatchRow, input: FileRow, plan: PlanSummary): Promise<BatchError[]> {
  if (plan.errorCount > 0) {
    const hidden = plan.errorCount - plan.errors.length;
    return hidden > 0 ? [...plan.errors, moreErrors(hidden)] : plan.errors;
  }
  if (plan.requests === 0) {
    return [
      { code: 'empty_file', message: 'The input file is empty. Add at least one request.', param: null, line: null },
    ];
  }
  const family = endpointFamily(batch.endpoint);
  const foreign = new Set(
    plan.endpoints.flatMap(({ endpoint }, index) => (endpointFamily(endpoint) === family ? [] : [index])),
  );
  return foreign.size > 0 ? findForeignLines(deps, batch, input, plan, foreign) : [];
}

/** The lines whose url belongs to another kind of endpoint than the batch's. */
async function findForeignLines(
  deps: Deps,
  batch: BatchRow,
  input: FileRow,
  plan: PlanSummary,
  foreign: ReadonlySet<number>,
): Promise<BatchError[]> {
  const errors: BatchError[] = [];
  let hidden = 0;
  for (let first = 0; first < plan.lines; first += WINDOW_LINES) {
    const count = Math.min(WINDOW_LINES, plan.lines - first);
    const view = await readPlan(deps, input, first, count);
    for (let index = 0; index < count; index++) {
      const record = readPlanRecord(view, index);
      if (record.flags !== 0 || !foreign.has(record.endpoint)) continue;
      if (errors.length >= deps.settings.maxLineErrors) hidden += 1;
      else errors.push(foreignLine(batch, plan.endpoints[record.endpoint]?.endpoint ?? '', first + index + 1));
    }
  }
  return hidden > 0 ? [...errors, moreErrors(hidden)] : errors;
}

async function readPlan(deps: Deps, input: FileRow, first: number, count: number): Promise<DataView> {
  const bytes = Buffer.from(
    await deps.files.readRange(input.planKey ?? '', {
      offset: first * PLAN_RECORD_BYTES,
      length: count * PLAN_RECORD_BYTES,
    }),
  );
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function foreignLine(batch: BatchRow, url: string, line: number): BatchError {
  return {
    code: 'invalid_url',
    message: `The URL provided for this request ('${url}') does not match the batch endpoint ('${batch.endpoint}'). Put such lines into a batch of their own.`,
    param: 'url',
    line,
  };
}

function moreErrors(count: number): BatchError {
  return { code: 'more_errors', message: `${count} more lines have errors.`, param: null, line: null };
}

function inputGone(batch: BatchRow): BatchError {
  return {
    code: 'file_not_found',
    message: `The input file ${batch.inputFileId} is gone. Upload it again and create a new batch.`,
    param: 'input_file_id',
    line: null,
  };
}
