/**
 * How a shard that its provider refused as a whole is cut up to find the lines that spoil it. Pure.
 *
 * Halves find one bad line among n in as many rounds as n has binary digits. Where all is refused alike, though, the cause
 * is the model's, the account's or the form's, and halving on would take 2n provider batches to learn it. So each third
 * level looks for that: in place of two halves there are two that wait and a *sample* taken from between them, as small as
 * the service allows. Nothing of three levels taken (eight blocks refused, and a sample of each) means that it is no
 * line's doing; one piece that was taken means that it is, and the halves go on.
 *
 * The ids tell the tree: `….0` and `….1` are the halves of `…`, and `….p` is the sample between them.
 */
import type { Failure } from './failure.ts';
import type { ShardState } from './shard-state.ts';

const LEVELS = 3;
/** In fewer lines samples save nothing. */
const SAMPLED_LINES_MIN = 4;
/** About the middle of a block, a sample is taken from among so many lines. */
const SAMPLE_SPREAD = 64;
/** Two, four and eight blocks, and eight samples, are refused where all is. */
const REFUSALS_MIN = 12;

/** Within so many seconds a refusal is seen. */
const LOOK_SECONDS = 60;
/** So many refusals may be worth half the price, or one for so many lines. */
const REFUSALS_MAX = 64;
const LINES_A_REFUSAL = 50;

const cuts = /(?:\.[01p])+$/;
const cut = /\.[01p]$/;
const below = /^\.[01](?:\.[01p])*$/;

/** A run of a shard's lines, as indexes into them: `from` included, `to` not. */
export interface ShardPiece {
  id: string;
  from: number;
  to: number;
}

/** What became of a shard of the tree. */
export interface TriedShard {
  id: string;
  state: ShardState;
  failure: Failure | null;
  counts: { succeeded: number; failed: number } | null;
  submittedAt: number | null;
  /** When it ran; null of one that did not, as far as is known. */
  ranAt: number | null;
}

/** The shard that `id` was cut from; null for one that was cut from none. */
export function wholeOf(id: string): string | null {
  return cut.test(id) ? id.replace(cut, '') : null;
}

export function isSample(id: string): boolean {
  return id.endsWith('.p');
}

/** The shard that `id` was cut from first. */
export function rootOf(id: string): string {
  return id.replace(cuts, '');
}

/** Whether so many parts of a shard of `lines` were refused that its lines had better be asked for one by one. */
export function isTooMany(refused: number, lines: number): boolean {
  return refused > Math.max(REFUSALS_MAX, lines / LINES_A_REFUSAL);
}

/** The block of three levels that a refused shard closes, by its id; null where it closes none. */
export function blockOf(id: string): string | null {
  const tail = cuts.exec(id)?.[0] ?? '';
  const levels = tail.replaceAll('.', '');
  if (levels.length === 0 || levels.length % LEVELS !== 0 || isSample(id)) return null;
  return id.slice(0, id.length - 2 * LEVELS);
}

/** A refused shard of `lines` in two, with `sample` lines (0: none) taken from between them. */
export function piecesOf(id: string, lines: number, sample: number): ShardPiece[] {
  if (sample === 0) {
    const middle = Math.ceil(lines / 2);
    return [
      { id: `${id}.0`, from: 0, to: middle },
      { id: `${id}.1`, from: middle, to: lines },
    ];
  }
  // At the same place of every block, of lines that are bad in turns all would be hit, or none.
  const spread = Math.min(SAMPLE_SPREAD, Math.floor((lines - sample) / 2));
  const from = Math.floor((lines - sample - spread) / 2) + (placeOf(id) % Math.max(1, spread));
  return [
    { id: `${id}.0`, from: 0, to: from },
    { id: `${id}.p`, from, to: from + sample },
    { id: `${id}.1`, from: from + sample, to: lines },
  ].filter((piece) => piece.to > piece.from);
}

/** Lines of the sample of a refused shard, `least` being what its service takes; 0 where it is to be halved without one. */
export function sampleLines(lines: number, least: number): number {
  const sample = Math.max(1, least);
  return lines >= SAMPLED_LINES_MIN * sample ? sample : 0;
}

/**
 * Whose fault the refusals in a block are: `lines` where one of its shards was taken, `whole` where none was, `open` while
 * that may still turn out. `refusedAfter`: seconds until the service refused the whole, null where it did so at once; a shard
 * that runs for clearly longer was taken, though nothing is told of it until it ends.
 */
export function faultIn(
  block: string,
  shards: readonly TriedShard[],
  at: { now: number; refusedAfter: number | null },
): 'lines' | 'whole' | 'open' {
  const known = new Map(shards.map((shard) => [shard.id, shard]));
  let refused = 0;
  let isOpen = false;
  for (const shard of shards) {
    if (!shard.id.startsWith(block) || !below.test(shard.id.slice(block.length))) continue;
    if (isRefused(shard)) refused += 1;
    else if (isTaken(shard, at)) return 'lines';
    else if (shard.state !== 'done' && shard.state !== 'abandoned' && !waits(shard, known)) isOpen = true;
  }
  if (isOpen) return 'open';
  return refused >= REFUSALS_MIN ? 'whole' : 'lines';
}

function isTaken(
  { state, counts, submittedAt, ranAt }: TriedShard,
  { now, refusedAfter }: { now: number; refusedAfter: number | null },
): boolean {
  if (ranAt !== null || (counts !== null && counts.succeeded + counts.failed > 0)) return true;
  if (state !== 'running' || submittedAt === null) return false;
  return refusedAfter === null || now - submittedAt >= Math.max(2 * refusedAfter, refusedAfter + LOOK_SECONDS);
}

/** Whether the provider refused a shard for something in it. One that waits with such a failure is a sample. */
export function isRefused({ state, failure, ranAt }: TriedShard): boolean {
  return (state === 'done' || state === 'pending') && ranAt === null && failure?.kind === 'invalid_request';
}

/** A half that waits for the sample beside it. */
function waits({ id, state }: TriedShard, known: ReadonlyMap<string, unknown>): boolean {
  return state === 'pending' && !isSample(id) && known.has(`${wholeOf(id) ?? ''}.p`);
}

/** FNV-1a, without the lowest bits, which tell little. */
function placeOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  return hash >>> 12;
}

/** Parameters of the create call: what is wrong with them is so for every part of a shard. */
const CALL_PARAMETERS: ReadonlySet<string | null> = new Set([
  'completion_window',
  'endpoint',
  'input_blob',
  'input_file_id',
  'input_files',
  'job',
  'metadata',
  'model',
  'output_folder',
]);

/** Whether a refusal speaks of the call and not of what is in it. */
export function isOfCall({ param }: Failure): boolean {
  return CALL_PARAMETERS.has(param);
}

/** Why no part of a provider batch is asked for any more: the service refuses the call, or all that was tried, or too much of it. */
export function refusedAnyway(provider: string, failure: Failure, what: 'call' | 'all' | 'many'): Failure {
  const parts = { call: '', all: ', and every part of it that was tried alone', many: ', and many parts of it' };
  const message = `${provider} refused the provider batch${parts[what]}: ${failure.message}`;
  return { ...failure, code: 'batch_refused', message };
}
