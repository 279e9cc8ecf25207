import type { PlanSummary } from '../../core/plan.ts';
import { createLaneAssigner, type LaneAssignerOptions } from '../../core/routing.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchEstimate, BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { Estimate } from '../../protocol/estimate.ts';
import { divideDry } from './dry-division.ts';
import { estimateShares } from './estimate.ts';

/** Batches of more lines would wait for it too long. */
const LINES_MAX = 20_000;
/** Lines that are looked at. */
const SAMPLE_LINES = 500;

/**
 * Keeps what a batch that starts now is estimated to come to, so that it can be put beside what it did. An estimate that
 * cannot be made costs the batch nothing but that.
 */
export async function keepEstimate(
  deps: Deps,
  batch: BatchRow,
  input: FileRow & { plan: PlanSummary },
  options: LaneAssignerOptions,
): Promise<void> {
  // One that a budget covers has had its estimate when it was created.
  if (input.plan.requests > LINES_MAX || batch.estimate != null) return;
  try {
    const division = await divideDry(deps, batch, input, input.plan, createLaneAssigner(options));
    const now = Math.floor(deps.clock.now() / 1000);
    const { estimate } = await estimateShares(deps, input, division, { now, sampleLines: SAMPLE_LINES });
    await deps.store.batches.setEstimate(batch.id, toBatchEstimate(estimate.total));
  } catch (error) {
    deps.log.warn({ batch: batch.id, error: String(error) }, 'no estimate could be made');
  }
}

/** The totals of an estimate as they are kept with a batch. */
export function toBatchEstimate({ input_tokens: inputTokens, output_tokens, cost }: Estimate['total']): BatchEstimate {
  return {
    inputTokens,
    outputTokens: output_tokens,
    amountNano: { low: cost.low_nano_usd, expected: cost.expected_nano_usd, high: cost.high_nano_usd },
  };
}
