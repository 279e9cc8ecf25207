import type { BatchRow } from '../../../ports/store-batches.ts';
import type { OutputLine } from '../../../protocol/result-line.ts';
import { fullBytes } from '../../batches/batch-line.ts';
import { batchLines } from '../../batches/lines.ts';
import { restOf } from '../../batches/output.ts';
import { PartReader } from '../../batches/part-reader.ts';
import { readableNow } from '../../batches/readable-now.ts';
import { areResultsGone } from '../../batches/results-gone.ts';
import type { TargetWork } from './turn.ts';

const BYTES_AT_ONCE = 4 * 1024 ** 2;

/** Why an ended batch has no lines to read. */
export async function whyUnreadable({ deps }: TargetWork, batch: BatchRow | null) {
  if (batch === null) return { code: 'batch_gone', message: 'The batch of this run is gone.' };
  const [error] = batch.errors ?? [];
  if (batch.status === 'failed') {
    return { code: error?.code ?? 'batch_failed', message: error?.message ?? `Batch ${batch.id} failed.` };
  }
  if (!(await areResultsGone(deps, batch))) return null;
  return { code: 'results_gone', message: `The results of batch ${batch.id} were deleted before they were graded.` };
}

/** Lines of an ended batch from the 0-based line `from`, in pages of at most `most` lines and some megabytes. */
export async function* outputPages(
  work: TargetWork,
  batch: BatchRow,
  { from, most }: { from: number; most: number },
): AsyncGenerator<OutputLine[]> {
  const deps = readableNow(work.deps);
  const reader = new PartReader(deps.files);
  let page: OutputLine[] = [];
  let bytes = 0;
  for await (const line of batchLines(deps, batch, reader, { from, rest: restOf(batch), totals: true })) {
    if (line.state === 'pending') continue;
    const text = await fullBytes(reader, line);
    page.push(JSON.parse(text.toString('utf8')) as OutputLine);
    bytes += text.byteLength;
    if (page.length < most && bytes < BYTES_AT_ONCE) continue;
    yield page;
    page = [];
    bytes = 0;
  }
  if (page.length > 0) yield page;
}
