import type { Unfit } from '../../core/healing.ts';
import type { ShardLine, ShardWork } from './shard-work.ts';

/** What `lines` were answered before and was not taken, by 1-based line; nothing where no target of their lane says so. */
export async function unfitAnswers(
  { deps, shard, lane }: Pick<ShardWork, 'deps' | 'shard' | 'lane'>,
  lines: readonly Pick<ShardLine, 'line'>[],
): Promise<ReadonlyMap<number, readonly Unfit[]>> {
  if (lines.length === 0 || lane.candidates.every(({ healing }) => healing === undefined)) return new Map();
  return deps.store.ledger.unfit(shard.batchId, ...rangeOf(lines));
}

/** The first and the last 1-based line. */
export function rangeOf(lines: readonly Pick<ShardLine, 'line'>[]): [number, number] {
  const numbers = lines.map(({ line }) => line + 1);
  return [numbers.reduce((a, b) => Math.min(a, b), Infinity), numbers.reduce((a, b) => Math.max(a, b), 0)];
}
