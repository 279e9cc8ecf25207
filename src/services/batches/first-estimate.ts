import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchEstimate, BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { Estimate } from '../../protocol/estimate.ts';
import type { DryDivision } from './dry-division.ts';
import { estimateShares, knowTargets } from './estimate.ts';
import { recentHistory } from './output-history.ts';

/** Batches of more lines would wait for it too long. */
export const ESTIMATED_LINES = 20_000;
/** Lines that are looked at. */
const SAMPLE_LINES = 500;

/**
 * What a batch that starts now is estimated to come to, to be kept with it and put beside what it did; null where it has one.
 * An estimate that cannot be made costs the batch nothing but that.
 */
export async function firstEstimate(
  deps: Deps,
  batch: BatchRow,
  input: FileRow,
  division: DryDivision,
): Promise<BatchEstimate | null> {
  // One that a budget covers has had its estimate when it was created.
  if (batch.estimate != null) return null;
  try {
    const now = unixSeconds(deps.clock);
    const known = await knowTargets(deps, input.tenantId, division.candidates(), now, recentHistory);
    const { estimate } = await estimateShares(deps, input, division, { now, sampleLines: SAMPLE_LINES, known });
    return toBatchEstimate(estimate.total);
  } catch (error) {
    deps.log.warn({ batch: batch.id, error: String(error) }, 'no estimate could be made');
    return null;
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
