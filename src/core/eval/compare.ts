import type { EvalComparison, EvalInterval, EvalPair } from '../../protocol/eval-comparison.ts';
import { bootstrap, type Column, type Resampling } from './bootstrap.ts';
import { frontierOf } from './frontier.ts';
import { type ItemRecord, type TargetRecords, verdictOf } from './item-record.ts';
import { cohensKappa, shareOf, signTest } from './shares.ts';
import { figuresOf, scoreRangeOf } from './target-figures.ts';

/** Differing items that a comparison names; all of them are in the run's list of compared items. */
const DIFFERING_SHOWN = 100;

/** The figures of a comparison; whose run they are of is for its caller to say. */
export type ComparedFigures = Omit<
  EvalComparison,
  'object' | 'eval_id' | 'run_id' | 'status' | 'items_left_out' | 'failed_targets'
>;

/**
 * Compares targets on the same items. A generator that yields now and then, so that a caller may let others run; the
 * same records, seed and number of resamples give the same figures. Records are aligned by their place.
 */
export function* compareTargets(
  targets: readonly TargetRecords[],
  options: Resampling,
): Generator<void, ComparedFigures> {
  const range = scoreRangeOf(targets);
  const pairs = pairsOf(targets);
  const scores = targets.map(({ records }) => columnOf(records, ({ score }) => score));
  const intervals = yield* bootstrap([...scores, ...pairs.flatMap((pair) => [pair.passes, pair.scores])], options);
  const interval = (index: number): EvalInterval => intervals[index] ?? { value: null, low: null, high: null };
  const figures: ReturnType<typeof figuresOf>[] = [];
  for (const [index, target] of targets.entries()) {
    figures.push(figuresOf(target, interval(index), range));
    yield;
  }
  const frontier = frontierOf(figures);
  return {
    items: targets[0]?.records.length ?? 0,
    intervals: {
      confidence: options.confidence,
      method: 'paired bootstrap, percentiles',
      resamples: options.resamples,
      seed: options.seed,
    },
    score_range: range,
    targets: figures.map((one) => ({
      ...one,
      on_frontier: one.cost.per_item_nano_usd === null ? null : frontier.includes(one.target),
    })),
    pairs: pairs.map((pair, index) =>
      pairFigures(pair, interval(targets.length + 2 * index), interval(targets.length + 2 * index + 1)),
    ),
    frontier,
    differing: differingItems(targets),
  };
}

interface Pair {
  a: TargetRecords;
  b: TargetRecords;
  passes: Column;
  scores: Column;
}

function pairsOf(targets: readonly TargetRecords[]): Pair[] {
  return targets.flatMap((a, index) =>
    targets.slice(index + 1).map((b) => ({
      a,
      b,
      passes: differences(a, b, (record) => passValue(verdictOf(record))),
      scores: differences(a, b, ({ score }) => score),
    })),
  );
}

function passValue(verdict: boolean | null): number | null {
  return verdict === null ? null : Number(verdict);
}

function columnOf(records: readonly ItemRecord[], of: (record: ItemRecord) => number | null): Column {
  return Float64Array.from(records, (record) => of(record) ?? Number.NaN);
}

/** Item by item, `a` less `b`; NaN where one of them has no value. */
function differences(a: TargetRecords, b: TargetRecords, of: (record: ItemRecord) => number | null): Column {
  const right = columnOf(b.records, of);
  return columnOf(a.records, of).map((left, index) => left - (right[index] ?? Number.NaN));
}

function pairFigures(pair: Pair, passes: EvalInterval, scores: EvalInterval): EvalPair {
  let both = 0;
  let onlyA = 0;
  let onlyB = 0;
  let neither = 0;
  for (const [index, record] of pair.a.records.entries()) {
    const other = pair.b.records[index];
    const a = verdictOf(record);
    const b = other === undefined ? null : verdictOf(other);
    if (a === null || b === null) continue;
    if (a && b) both += 1;
    else if (a) onlyA += 1;
    else if (b) onlyB += 1;
    else neither += 1;
  }
  const items = both + onlyA + onlyB + neither;
  return {
    a: pair.a.target,
    b: pair.b.target,
    items,
    pass_rate_difference: passes,
    score_difference: scores,
    only_a_passed: onlyA,
    only_b_passed: onlyB,
    p_value: signTest(onlyA, onlyB),
    agreement: shareOf(both + neither, items),
    kappa: cohensKappa(both, onlyA, onlyB, neither),
  };
}

function differingItems(targets: readonly TargetRecords[]): EvalComparison['differing'] {
  const items = (targets[0]?.records ?? []).flatMap(({ item }, index) => {
    const records = targets.flatMap(({ records: all }) => all[index] ?? []);
    return isDiffering(records) ? [item] : [];
  });
  return { count: items.length, items: items.slice(0, DIFFERING_SHOWN) };
}

/** Whether some targets passed the item and others did not. */
export function isDiffering(records: readonly ItemRecord[]): boolean {
  const verdicts = new Set(records.map(verdictOf));
  return verdicts.has(true) && verdicts.has(false);
}
