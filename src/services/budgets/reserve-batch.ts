import { INLINE_ROUTE } from '../../core/budget-scope.ts';
import { createLaneAssigner } from '../../core/routing.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchEstimate, BatchRow } from '../../ports/store-batches.ts';
import type { HoldAsk } from '../../ports/store-budgets.ts';
import type { FileRow } from '../../ports/store-files.ts';
import { divideDry } from '../batches/dry-division.ts';
import { estimateShares } from '../batches/estimate.ts';
import { findErrors } from '../batches/find-errors.ts';
import { toBatchEstimate } from '../batches/first-estimate.ts';
import { resolveFor, routesOf } from '../models/resolve.ts';
import { firstShort, insufficientQuota, unpricedTargets } from './insufficient.ts';
import { addPeriods } from './periods.ts';
import { unpricedReason } from './upper-bound.ts';

/** Lines that are looked at, of each batch that a budget covers. */
const SAMPLE_LINES = 20_000;

/**
 * What a new batch has to hold at the budgets that cover it: its estimate at most. Throws 429 `insufficient_quota` when a
 * budget has no room for it, and 400 when one of its targets has no price and a budget does not allow that. Without a
 * budget nothing is worked out.
 */
export async function reserveBatch(
  deps: Deps,
  batch: BatchRow,
  file: FileRow,
): Promise<{ hold: HoldAsk; estimate: BatchEstimate | null }> {
  const { id: holder, tenantId, keyId, metadata: tags, createdAt } = batch;
  const isAny = await deps.store.budgets.any();
  const spender = { tenantId, keyId, tags, routes: isAny ? await routeNames(deps, batch, file) : [] };
  // Nobody may have been there to begin the present ones: without them nothing would be held.
  if (isAny) await addPeriods(deps, createdAt);
  const budgets = isAny ? await deps.store.budgets.covering(spender, createdAt) : [];
  if (budgets.length === 0) return { hold: { holder, ...spender, amountNano: 0 }, estimate: null };
  // Under an Idempotency-Key it may be there already, and hold what it needs.
  if ((await deps.store.batches.get('all', holder)) !== null)
    return { hold: { holder, ...spender, amountNano: 0 }, estimate: null };
  const isStrict = budgets.some(({ unpriced }) => unpriced === 'refuse');
  const estimate = await estimateOf(deps, batch, file, isStrict);
  const amountNano = estimate?.amountNano.high ?? 0;
  const short = firstShort(budgets, amountNano);
  if (short !== null) throw insufficientQuota('batch', short, amountNano);
  return { hold: { holder, ...spender, amountNano }, estimate };
}

/** Why the store did not take the hold of a batch: null when its budgets have room for it. */
export async function refusedHold(deps: Pick<Deps, 'store'>, hold: HoldAsk, now: number) {
  const short = firstShort(await deps.store.budgets.covering(hold, now), hold.amountNano);
  return short === null ? null : insufficientQuota('batch', short, hold.amountNano);
}

async function routeNames(deps: Deps, { configName, tenantId, route }: BatchRow, file: FileRow): Promise<string[]> {
  if (configName !== null) return configName === INLINE_ROUTE ? [] : [configName];
  if (route !== null) return [];
  const known = await routesOf(deps, tenantId);
  return (file.plan?.models ?? []).map(({ name }) => name).filter((name) => known.has(name));
}

/** Null for a batch that will fail as one of its lines is no valid request: it sends nothing. */
async function estimateOf(
  deps: Deps,
  batch: BatchRow,
  file: FileRow,
  isStrict: boolean,
): Promise<BatchEstimate | null> {
  const { plan } = file;
  if (plan === null || (await findErrors(deps, batch, file, plan)).length > 0) return null;
  const models = plan.models.map(({ name }) => name);
  const { tenantId, route: batchRoute, metadata } = batch;
  const assigner = createLaneAssigner(await resolveFor(deps, { tenantId, batchRoute, metadata, models }));
  const division = await divideDry(deps, batch, file, plan, assigner);
  const now = batch.createdAt;
  if (isStrict) {
    const reasons = division.candidates().flatMap((candidate) => unpricedReason(deps, candidate, now) ?? []);
    if (reasons.length > 0) throw unpricedTargets('batch', [...new Set(reasons)]);
  }
  const { estimate } = await estimateShares(deps, file, division, { now, sampleLines: SAMPLE_LINES });
  return toBatchEstimate(estimate.total);
}
