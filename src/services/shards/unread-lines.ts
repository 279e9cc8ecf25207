/** Lines of provider batches whose input is gone by the time that they are entered: it was deleted, or the disk has lost it. */
import { isInputWhole } from '../batches/input-lost.ts';
import type { Answered } from './outcomes.ts';
import type { EnteredLine } from './settle-lines.ts';
import { type ShardLine, type ShardWork, shardLines } from './shard-work.ts';
import { rangeOf } from './unfit-answers.ts';

type LinesOf = Pick<ShardWork, 'deps' | 'shard' | 'batch' | 'input'>;

/** Whether what the lines of a shard say can be read. */
export function isReadable({ deps, batch, input }: LinesOf): Promise<boolean> {
  return isInputWhole(deps, batch, input);
}

/** Every line that a shard may have, in file order: where nobody can tell which are its own, all between its first and last. */
export async function possibleLines(work: LinesOf): Promise<ShardLine[]> {
  if (await isReadable(work)) return shardLines(work);
  const { firstLine, lastLine } = work.shard;
  const lengths = { offset: 0, length: 0 };
  return Array.from({ length: lastLine - firstLine + 1 }, (_, index) => ({ line: firstLine + index, ...lengths }));
}

/** Lines that cannot be read, with the ids that other entries have of them. */
export async function withKnownIds<Item extends { line: ShardLine }>(
  { deps, shard }: Pick<LinesOf, 'deps' | 'shard'>,
  items: readonly Item[],
): Promise<(Item & Pick<EnteredLine, 'request'>)[]> {
  if (items.length === 0) return [];
  const ids = await deps.store.ledger.customIds(shard.batchId, ...rangeOf(items.map(({ line }) => line)));
  return items.map((item) => ({ ...item, request: { customId: ids.get(item.line.line + 1) ?? null } }));
}

/** Answers to lines that cannot be read. Nothing is estimated of them, as that goes by what was asked. */
export function unreadOutcomes(
  work: Pick<LinesOf, 'deps' | 'shard'>,
  group: readonly Answered[],
): Promise<EnteredLine[]> {
  const answers = group.map(({ line, answer: { result } }) => ({ line, result }));
  return withKnownIds(work, answers);
}
