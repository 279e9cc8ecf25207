import type { EvalCost, EvalInterval, EvalTargetFigures } from '../../protocol/eval-comparison.ts';
import { divideHalfEven, formatUsd, toSafeInteger } from '../money.ts';
import { type ItemRecord, type TargetRecords, verdictOf } from './item-record.ts';
import { percentile, shareOf, wilsonInterval } from './shares.ts';

export const HISTOGRAM_BINS = 10;

export interface ScoreRange {
  low: number;
  high: number;
}

/** From 0 to 1 when all scores lie there, else from the least to the greatest. */
export function scoreRangeOf(targets: readonly TargetRecords[]): ScoreRange {
  let low = 0;
  let high = 1;
  for (const { records } of targets) {
    for (const { score } of records) {
      if (score === null) continue;
      low = Math.min(low, score);
      high = Math.max(high, score);
    }
  }
  return { low, high };
}

/** The figures of one target; `score` is its mean with the interval that resampling gave. */
export function figuresOf(
  { target, records }: TargetRecords,
  score: EvalInterval,
  range: ScoreRange,
): Omit<EvalTargetFigures, 'on_frontier'> {
  const items = records.length;
  const count = (holds: (record: ItemRecord) => boolean): number => records.filter(holds).length;
  const answered = count((record) => record.answered);
  const graded = count((record) => verdictOf(record) !== null);
  const passed = count((record) => verdictOf(record) === true);
  return {
    target,
    items,
    answered,
    graded,
    passed,
    pass_rate: wilsonInterval(passed, graded),
    score,
    valid_rate: shareOf(
      count((record) => record.valid),
      items,
    ),
    truncation_rate: shareOf(
      count((record) => record.truncated),
      items,
    ),
    refusal_rate: shareOf(
      count((record) => record.refused),
      items,
    ),
    error_rate: shareOf(items - answered, items),
    latency_ms: latencyOf(records),
    input_tokens: sum(records, (record) => record.inputTokens),
    output_tokens: sum(records, (record) => record.outputTokens),
    cost: costOf(records, passed),
    score_histogram: histogramOf(records, range),
  };
}

function sum(records: readonly ItemRecord[], of: (record: ItemRecord) => number): number {
  return records.reduce((total, record) => total + of(record), 0);
}

function latencyOf(records: readonly ItemRecord[]): EvalTargetFigures['latency_ms'] {
  const times = records.flatMap(({ latencyMs }) => (latencyMs === null ? [] : [latencyMs])).sort((a, b) => a - b);
  return { p50: percentile(times, 0.5), p90: percentile(times, 0.9), timed: times.length };
}

/** What the answers cost, in all, per item and per accepted one: rounded half-even to a nano-dollar. */
export function costOf(records: readonly Pick<ItemRecord, 'costNano'>[], accepted: number): EvalCost {
  let total = 0n;
  let unpriced = 0;
  for (const { costNano } of records) {
    if (costNano === null) unpriced += 1;
    else total += BigInt(costNano);
  }
  const known = unpriced === 0 && records.length > 0;
  const amount = known ? toSafeInteger(total) : null;
  const perItem = known ? toSafeInteger(divideHalfEven(total, BigInt(records.length))) : null;
  const perAccepted = known && accepted > 0 ? toSafeInteger(divideHalfEven(total, BigInt(accepted))) : null;
  return {
    amount_nano_usd: amount,
    amount_usd: formatUsd(amount),
    per_item_nano_usd: perItem,
    per_item_usd: formatUsd(perItem),
    per_accepted_nano_usd: perAccepted,
    per_accepted_usd: formatUsd(perAccepted),
    reason: reasonOf(records.length, unpriced, accepted),
    unpriced_items: unpriced,
  };
}

function reasonOf(items: number, unpriced: number, accepted: number): string | null {
  if (items === 0) return 'There are no items.';
  if (unpriced > 0) return `${unpriced} of ${items} items have no known price.`;
  return accepted === 0 ? 'No answer was accepted.' : null;
}

function histogramOf(records: readonly ItemRecord[], { low, high }: ScoreRange): number[] {
  const bins = Array.from({ length: HISTOGRAM_BINS }, () => 0);
  for (const { score } of records) {
    if (score === null) continue;
    const bin = Math.min(HISTOGRAM_BINS - 1, Math.floor(((score - low) / (high - low)) * HISTOGRAM_BINS));
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  return bins;
}
