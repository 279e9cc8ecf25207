import { Buffer } from 'node:buffer';
import { ApiError } from '../../core/api-error.ts';
import { isTerminal } from '../../core/batch-state.ts';
import type { StopReason } from '../../ports/batch-control.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { PieceMemory } from '../../ports/files.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import { wholeRecords } from '../results/read-index.ts';
import { fullBytes } from './batch-line.ts';
import { batchLines } from './lines.ts';
import { PartReader } from './part-reader.ts';
import { readableOrLost } from './readable-now.ts';
import { requireResults } from './results-gone.ts';
import { fetchBatch } from './retrieve.ts';

const FOLLOW_POLL_MS = 200;
const PARTS_AT_ONCE = 64;
const PIECE_BYTES = 64 * 1024;

interface OutputOptions {
  /** Lines come as they finish, in that order, until the batch has ended. */
  follow: boolean;
  /** For the pieces of the answer; absent: each has memory of its own. */
  memory?: PieceMemory | undefined;
}

export interface BatchOutput {
  /** True while lines are still missing. */
  incomplete: boolean;
  bytes: AsyncIterable<Uint8Array>;
}

/**
 * The finished lines of a batch, successes and failures together, in input order, with Weir's details. While the batch
 * runs, what there is.
 */
export async function batchOutput(
  deps: Deps,
  context: Context,
  id: string,
  { follow, memory }: OutputOptions,
): Promise<BatchOutput> {
  const batch = await fetchBatch(deps, context, id);
  if (batch.status === 'failed') {
    throw new ApiError(409, 'This batch failed validation and has no output. Its `errors` say what to mend.', {
      code: 'batch_failed',
    });
  }
  await requireResults(deps, batch);
  const incomplete = !isTerminal(batch.status);
  const reading = readableOrLost(deps);
  if (follow && incomplete) return { incomplete, bytes: followLines(reading, context, batch, memory) };
  return { incomplete, bytes: inPieces(finishedLines(reading, batch), memory) };
}

async function* finishedLines(deps: Deps, batch: BatchRow): AsyncGenerator<Uint8Array> {
  const reader = new PartReader(deps.files, { forward: true });
  for await (const line of batchLines(deps, batch, reader, { from: 0, rest: restOf(batch), totals: true })) {
    if (line.state !== 'pending') yield await fullBytes(reader, line);
  }
}

async function* followLines(
  deps: Deps,
  context: Context,
  started: BatchRow,
  memory?: PieceMemory,
): AsyncGenerator<Uint8Array> {
  const reader = new PartReader(deps.files);
  let after: string | null = null;
  while (!context.signal.aborted) {
    // The status is read before the parts: a batch that ended by then has all its parts in the list.
    const batch = (await deps.store.batches.get('all', started.id)) ?? started;
    for (;;) {
      const parts = await deps.store.segments.partsSince(batch.id, after, PARTS_AT_ONCE);
      for (const part of parts) {
        yield* inPieces(wholeRecords(deps.files, part), memory);
        after = part.key;
      }
      if (parts.length < PARTS_AT_ONCE) break;
    }
    if (isTerminal(batch.status)) {
      for await (const line of batchLines(deps, batch, reader, { from: 0, rest: restOf(batch), totals: true })) {
        if (line.state === 'missing') yield await fullBytes(reader, line);
      }
      return;
    }
    await deps.clock.sleep(FOLLOW_POLL_MS, context.signal);
  }
}

/** What became of lines without a result, once the batch has ended. */
export function restOf(batch: BatchRow): StopReason | 'lost' | null {
  return isTerminal(batch.status) ? (batch.stop ?? 'lost') : null;
}

/** Lines in pieces of the size of `memory`; a line too large for it is a piece of its own. */
async function* inPieces(
  lines: AsyncIterable<Uint8Array>,
  memory: PieceMemory = () => Buffer.allocUnsafeSlow(PIECE_BYTES),
): AsyncGenerator<Uint8Array> {
  let piece: Uint8Array | null = null;
  let length = 0;
  for await (const line of lines) {
    if (piece !== null && length > 0 && length + line.length > piece.length) {
      yield piece.subarray(0, length);
      piece = null;
      length = 0;
    }
    piece ??= memory();
    if (line.length > piece.length) yield line;
    else {
      piece.set(line, length);
      length += line.length;
    }
  }
  if (piece !== null && length > 0) yield piece.subarray(0, length);
}
