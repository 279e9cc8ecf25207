import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import { parseRequestLine } from '../../core/validate-input.ts';
import { ForwardReader } from '../batches/forward-reader.ts';
import { followUp, NOTHING_FOLLOWS } from './follow-up.ts';
import { settleLines } from './settle-lines.ts';
import type { ShardLine, ShardWork } from './shard-work.ts';
import { settle } from './shard-work.ts';

const LINES_AT_ONCE = 500;

/** Fails those of `lines` that have nowhere else to go. */
export async function failLines(work: ShardWork, lines: readonly ShardLine[], failure: Failure): Promise<void> {
  const reader = new ForwardReader(work.deps.files, work.input.contentKey);
  for (let at = 0; at < lines.length; at += LINES_AT_ONCE) {
    const outcomes = [];
    for (const line of lines.slice(at, at + LINES_AT_ONCE)) {
      const request = parseRequestLine(await reader.read(line));
      outcomes.push({ line, request, result: null, failure, warnings: [] });
    }
    const name = `${work.shard.id}-failed-${work.shard.tries}-${lines[at]?.line ?? 0}`;
    await settleLines(work, outcomes, { name, known: new Set(), last: false });
  }
}

/** Ends a shard; lines without a result go to their next target, unless the batch stops or there is none. */
export async function endShard(work: ShardWork, left: readonly ShardLine[], failure: Failure | null): Promise<void> {
  const why = failure ?? refusal('interrupted', 'result_missing', 'The provider gave no result for this request.');
  const next = work.batch.stop === null ? followUp(work, left, why) : NOTHING_FOLLOWS;
  await settle(work, { state: 'done', followUp: next });
}
