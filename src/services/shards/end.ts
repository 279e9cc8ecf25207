import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import { parseRequestLine } from '../../core/validate-input.ts';
import type { FollowUp } from '../../ports/store-shards.ts';
import { ForwardReader } from '../batches/forward-reader.ts';
import { again, followUp, NOTHING_FOLLOWS } from './follow-up.ts';
import { nextLook } from './patience.ts';
import { sharingOf } from './questions.ts';
import { partName, settleLines } from './settle-lines.ts';
import type { ShardLine, ShardWork } from './shard-work.ts';
import { settle, unfinishedLines } from './shard-work.ts';
import { isAlsoSingle } from './ways-on.ts';

const LINES_AT_ONCE = 500;

/** Fails those of `lines` that have nowhere else to go. */
export async function failLines(work: ShardWork, lines: readonly ShardLine[], failure: Failure): Promise<void> {
  const failed = lines.map((line) => ({ line, failure }));
  await settleFailed(work, failed, { what: 'failed', last: false });
}

/** Fails lines, each for its own reason; unless `last`, only those that have nowhere else to go. `what` names their parts. */
export async function settleFailed(
  work: ShardWork,
  failed: readonly { line: ShardLine; failure: Failure }[],
  { what, last }: { what: string; last: boolean },
): Promise<void> {
  const reader = new ForwardReader(work.deps.files, work.input.contentKey);
  const inOrder = failed.toSorted((a, b) => a.line.line - b.line.line);
  for (let at = 0; at < inOrder.length; at += LINES_AT_ONCE) {
    const group = inOrder.slice(at, at + LINES_AT_ONCE);
    const outcomes = [];
    for (const { line, failure } of group) {
      const request = parseRequestLine(await reader.read(line));
      outcomes.push({ line, request, result: null, failure, warnings: [] });
    }
    await settleLines(work, outcomes, { name: partName(work, what), known: new Set(), last });
  }
}

/** Whether some lines go on for a better answer of this target alone, in another provider batch. */
function areHealedHere(work: ShardWork, lines: readonly ShardLine[]): boolean {
  const { healing, shard } = work;
  return lines.length > 0 && !isAlsoSingle(work) && lines.every(({ line }) => healing.get(line) === shard.candidate);
}

/**
 * Ends a shard; lines without a result go to their next target, unless the batch stops: those without one have failed before.
 * Lines that wait for what another shard asks are the next shard of this target, where no others go on. `state`:
 * abandoned where something of it may be left at the provider, which is looked for from then on.
 */
export async function endShard(
  work: ShardWork,
  left: readonly ShardLine[],
  failure: Failure | null,
  state: 'done' | 'abandoned' = 'done',
): Promise<void> {
  const end = (next: FollowUp) =>
    settle(work, { state, followUp: next, ...(state === 'abandoned' && { nextAt: nextLook(work) }) });
  const why = failure ?? refusal('interrupted', 'result_missing', 'The provider gave no result for this request.');
  if (work.batch.stop !== null) return end(NOTHING_FOLLOWS);
  const { waiting } = await sharingOf(work, left);
  const others = left.filter(({ line }) => !waiting.has(line));
  if (areHealedHere(work, others)) return end(again(work, left));
  // Those which go on were let in for failures of their own; the next shard of this target would have them fail.
  return end(waiting.size === 0 || others.length > 0 ? followUp(work, left, why) : again(work, left));
}

/** Nothing of the shard runs at the provider: its lines fail, or go to their next target. */
export async function giveUp(work: ShardWork, failure: Failure, left: readonly ShardLine[]): Promise<void> {
  const { waiting } = await sharingOf(work, left);
  await failLines(
    work,
    left.filter(({ line }) => !waiting.has(line)),
    failure,
  );
  return endShard(work, await unfinishedLines(work), failure);
}
