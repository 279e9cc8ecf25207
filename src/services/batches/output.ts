import { Buffer } from 'node:buffer';
import { ApiError } from '../../core/api-error.ts';
import { isTerminal } from '../../core/batch-state.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchRow, StopReason } from '../../ports/store-batches.ts';
import { fullBytes } from './batch-line.ts';
import { batchLines } from './lines.ts';
import { PartReader } from './part-reader.ts';
import { requireResults } from './results-gone.ts';
import { fetchBatch } from './retrieve.ts';

const FOLLOW_POLL_MS = 200;
const PARTS_AT_ONCE = 64;
const CHUNK_BYTES = 64 * 1024;

export interface BatchOutput {
  /** True while lines are still missing. */
  incomplete: boolean;
  bytes: AsyncIterable<Uint8Array>;
}

/**
 * The finished lines of a batch, successes and failures together, in input order, with Weir's details. While the batch
 * runs, what there is. With `follow`, lines come as they finish, in that order, until the batch has ended.
 */
export async function batchOutput(deps: Deps, context: Context, id: string, follow: boolean): Promise<BatchOutput> {
  const batch = await fetchBatch(deps, context, id);
  if (batch.status === 'failed') {
    throw new ApiError(409, 'This batch failed validation and has no output. Its `errors` say what to mend.', {
      code: 'batch_failed',
    });
  }
  await requireResults(deps, batch);
  const incomplete = !isTerminal(batch.status);
  if (follow && incomplete) return { incomplete, bytes: followLines(deps, context, batch) };
  return { incomplete, bytes: inChunks(finishedLines(deps, batch)) };
}

async function* finishedLines(deps: Deps, batch: BatchRow): AsyncGenerator<Uint8Array> {
  const reader = new PartReader(deps.files);
  for await (const line of batchLines(deps, batch, reader, { from: 0, rest: restOf(batch), totals: true })) {
    if (line.state !== 'pending') yield await fullBytes(reader, line);
  }
}

async function* followLines(deps: Deps, context: Context, started: BatchRow): AsyncGenerator<Uint8Array> {
  const reader = new PartReader(deps.files);
  let after: string | null = null;
  while (!context.signal.aborted) {
    // The status is read before the parts: a batch that ended by then has all its parts in the list.
    const batch = (await deps.store.batches.get('all', started.id)) ?? started;
    for (;;) {
      const parts = await deps.store.segments.partsSince(batch.id, after, PARTS_AT_ONCE);
      for (const part of parts) {
        yield deps.files.readRange(part.key, { offset: 0, length: part.indexOffset });
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

async function* inChunks(lines: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const line of lines) {
    waiting.push(line);
    bytes += line.byteLength;
    if (bytes < CHUNK_BYTES) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}
