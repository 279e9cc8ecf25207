import { InputCounter } from '../../core/estimate-input.ts';
import { type ShareTally, sumFigures } from '../../core/estimate-share.ts';
import { type Candidate, targetName } from '../../core/lane.ts';
import { isRequest, readPlanRecord } from '../../core/plan.ts';
import { createLaneAssigner } from '../../core/routing.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { BatchCreate } from '../../protocol/batch.ts';
import type { Estimate } from '../../protocol/estimate.ts';
import { resolveFor } from '../models/resolve.ts';
import { readBatchOptions } from './batch-options.ts';
import { checkCreate } from './check-create.ts';
import { comparePlans } from './compare-plans.ts';
import { type DryDivision, divideDry } from './dry-division.ts';
import { type EstimatorOptions, type KnownTarget, LineEstimator } from './estimate-lines.ts';
import { findErrors } from './find-errors.ts';
import { ForwardReader } from './forward-reader.ts';
import { outputHistory } from './output-history.ts';
import { finishAfter } from './pace.ts';
import { planWindows } from './read-plan.ts';

/** Above these, an even sample of each target's lines is looked at. */
const SAMPLE_LINES = 20_000;
const SAMPLE_BYTES = 256 * 1024 ** 2;

/**
 * What a batch of this body would do and cost: the split over its first targets, made as the batch's own, with what each
 * of them cannot take. Nothing is stored, and no request is sent. Throws 400 as a create does.
 */
export async function estimateBatch(deps: Deps, context: Context, body: BatchCreate): Promise<Estimate> {
  const { endpoint, seconds, file, route, now } = await checkCreate(deps, context, body);
  // They change no figure, but what a create refuses is refused here.
  readBatchOptions(deps, body);
  const { plan } = file;
  if (plan === null) throw new Error(`file ${file.id} has no plan`);
  const errors = await findErrors(deps, { endpoint }, file, plan);
  if (errors.length > 0) return { ...present(file, []), errors: { object: 'list', data: errors } };
  const models = plan.models.map(({ name }) => name);
  const query = { tenantId: file.tenantId, batchRoute: route?.route ?? null, metadata: body.metadata ?? null, models };
  const assigner = createLaneAssigner(await resolveFor(deps, query));
  const batch = { id: 'estimate', tenantId: file.tenantId, endpoint, completionWindow: body.completion_window };
  const division = await divideDry(deps, batch, file, plan, assigner);
  const known = await knowTargets(deps, file.tenantId, division.candidates(), now);
  const { signal } = context;
  const options = { now, seconds, sampleLines: SAMPLE_LINES, signal, known };
  const { estimate, counts } = await estimateShares(deps, file, division, options);
  const window = { completionWindow: body.completion_window, seconds };
  const plans = await comparePlans(deps, file, division, estimate, { ...window, now, known, signal });
  const finish = finishSeconds(deps, estimate, counts, { now, seconds });
  return { ...estimate, expected_finish_at: finish === null ? null : now + finish, plans };
}

/** The estimate of a file's lines as they were divided, without the time it would take; and how many each target gets. */
export async function estimateShares(
  deps: Deps,
  file: FileRow,
  division: DryDivision,
  options: Pick<EstimatorOptions, 'now' | 'seconds'> & {
    sampleLines: number;
    signal?: AbortSignal;
    known?: ReadonlyMap<string, KnownTarget>;
  },
): Promise<{ estimate: Estimate; counts: ReadonlyMap<Candidate, number> }> {
  const { now, seconds, sampleLines, signal } = options;
  const { plan } = file;
  if (plan === null) throw new Error(`file ${file.id} has no plan`);
  const stride = Math.max(1, Math.ceil(plan.requests / sampleLines), Math.ceil(file.bytes / SAMPLE_BYTES));
  const known = options.known ?? (await knowTargets(deps, file.tenantId, division.candidates(), now));
  const estimator = new LineEstimator(deps, division, { now, stride, known, seconds });
  const forward = new ForwardReader(deps.files, file.contentKey);
  for await (const { first, count, view } of planWindows(deps, file, plan.lines)) {
    for (let index = 0; index < count; index++) {
      if (!isRequest(view, index)) continue;
      const record = readPlanRecord(view, index);
      const tally = estimator.count(first + index);
      if (tally === null) continue;
      signal?.throwIfAborted();
      // Lines far apart are read alone: what stands between them is not looked at.
      const bytes = stride > 1 ? await deps.files.readRange(file.contentKey, record) : await forward.read(record);
      await estimator.look(tally, bytes);
    }
  }
  return { estimate: present(file, estimator.end()), counts: estimator.counts };
}

/** Tokenizer and past answers of every target. */
export async function knowTargets(
  deps: Deps,
  tenantId: string,
  candidates: readonly Candidate[],
  now: number,
  historyOf = outputHistory,
): Promise<Map<string, KnownTarget>> {
  const known = new Map<string, KnownTarget>();
  for (const candidate of candidates) {
    const name = targetName(candidate);
    if (known.has(name)) continue;
    const priced = deps.providers.get(candidate.provider)?.pricedModel?.(candidate.model) ?? candidate.model;
    const tokenizer = deps.tokenizers?.forModel(priced) ?? null;
    known.set(name, {
      counter: new InputCounter(tokenizer),
      history: await historyOf(deps, tenantId, candidate, now),
    });
  }
  return known;
}

function present(file: FileRow, tallies: readonly ShareTally[]): Estimate {
  const requests = file.plan?.requests ?? 0;
  const sampled = tallies.reduce((sum, tally) => sum + tally.sampled, 0);
  const split = tallies.map((tally) => tally.present());
  return {
    object: 'batch.estimate',
    input_file_id: file.id,
    errors: null,
    requests,
    method: [...new Set(split.map(({ input_basis: basis }) => basis ?? 'bytes/4'))].join(', ') || 'bytes/4',
    sampled: tallies.length === 0 || sampled === requests ? null : sampled,
    split,
    total: sumFigures(split),
    expected_finish_at: null,
    plans: null,
  };
}

/** Provider batches promise no more than the window; of single requests only limits and hours tell the pace. */
function finishSeconds(
  deps: Deps,
  { split }: Estimate,
  counts: ReadonlyMap<Candidate, number>,
  { now, seconds }: { now: number; seconds: number },
): number | null {
  if (split.some(({ mode }) => mode === 'batch')) return seconds;
  const loads = [...counts].map(([candidate, count]) => {
    const share = split.find(({ target }) => target === targetName(candidate));
    const part = share === undefined ? 0 : count / Math.max(1, share.requests);
    const requests = ((share?.requests ?? 0) - (share?.refused_count ?? 0)) * part;
    const tokens = ((share?.input_tokens ?? 0) + (share?.output_tokens.expected ?? 0)) * part;
    return { candidate, load: { requests, tokens } };
  });
  return finishAfter(deps, loads, now, seconds);
}
