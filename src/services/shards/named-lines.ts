/** Lines that a provider's own validation names, which keep a whole provider batch from running. */
import type { Progress } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { parseRequestLine } from '../../core/validate-input.ts';
import { ForwardReader } from '../batches/forward-reader.ts';
import { settleFailed } from './end.ts';
import { again } from './follow-up.ts';
import { nativeLine } from './native-input.ts';
import { lateFailure } from './patience.ts';
import { sharingOf } from './questions.ts';
import { rejected } from './refused.ts';
import { type ShardLine, type ShardWork, save, settle, unfinishedLines } from './shard-work.ts';

/** Kept with the refs: which lines were named, by their place in the provider's file. */
const NAMED = 'named_lines';

/** Fails the lines that were named, and those that share their answers, alone; the others are submitted again. */
export async function failNamedLines(work: ShardWork, named: Progress['lines']): Promise<void> {
  const failures = new Map(named.map(({ line, failure }) => [line, failure]));
  const places = await placesOf(work, failures);
  const left = await unfinishedLines(work);
  if (places.size === 0) return rejected(work, named[0]?.failure ?? lateFailure(), left);
  const { sharers } = await sharingOf(work, left);
  const isLeft = new Map(left.map((line) => [line.line, line]));
  const failed: { line: ShardLine; failure: Failure }[] = [];
  for (const [number, place] of places) {
    const failure = failures.get(place) ?? named[0]?.failure ?? lateFailure();
    const own = isLeft.get(number);
    for (const line of [...(own ? [own] : []), ...(sharers.get(number) ?? [])]) failed.push({ line, failure });
  }
  await settleFailed(work, failed, { what: 'named', last: true });
  await settle(work, { state: 'done', followUp: again(work, await unfinishedLines(work)) });
}

/**
 * The lines (0-based) that were named, with a place of each in the provider's input file. They are counted once: when some of
 * them have failed, those that are left are counted otherwise.
 */
async function placesOf(work: ShardWork, failures: ReadonlyMap<number, Failure>): Promise<Map<number, number>> {
  const kept = work.shard.refs[NAMED];
  if (kept !== undefined) return new Map(JSON.parse(kept) as [number, number][]);
  const places = await countPlaces(work, failures);
  if (places.size > 0) await save(work, { refs: { ...work.shard.refs, [NAMED]: JSON.stringify([...places]) } });
  return places;
}

/** The input file holds the shard's unfinished lines in order, less those it never held or asked; some requests are several lines. */
async function countPlaces(work: ShardWork, failures: ReadonlyMap<number, Failure>): Promise<Map<number, number>> {
  const left = await unfinishedLines(work);
  const { asked } = await sharingOf(work, left);
  const reader = new ForwardReader(work.deps.files, work.input.contentKey);
  const places = new Map<number, number>();
  let position = 0;
  for (const line of left) {
    if (asked !== null && !asked.has(line.line)) continue;
    const native = nativeLine(work, line, parseRequestLine(await reader.read(line)));
    if (typeof native !== 'string') continue;
    const last = position + native.split('\n').length - 1;
    for (let place = position + 1; place <= last; place++) if (failures.has(place)) places.set(line.line, place);
    position = last;
  }
  return places;
}
