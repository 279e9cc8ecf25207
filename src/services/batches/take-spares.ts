import { Buffer } from 'node:buffer';
import { batchUsageOf } from '../../core/usage.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { PartRow } from '../../ports/store-segments.ts';
import { committedLines } from '../results/committed-lines.ts';
import type { LineResult } from '../results/line-result.ts';
import { readIndex } from '../results/read-index.ts';
import { SpareAnswers } from '../results/spare-answers.ts';
import { writePart } from '../results/write-part.ts';

const WARNING = 'the batch ended before another answer came';

/**
 * Of a batch that ends: lines that wait for a better answer of another try end with the one that is there, as it was paid
 * for. It may run twice: lines with results are left out.
 */
export async function takeSpares(deps: Deps, batch: BatchRow): Promise<void> {
  const heals = batch.lanes.some((lane) => lane.kind === 'run' && lane.candidates.some(({ healing }) => healing));
  if (!heals) return;
  for (const spare of await deps.store.shards.spares(batch.id, 0, Number.MAX_SAFE_INTEGER)) {
    const lines = await leftOf(deps, batch, spare);
    if (lines.length === 0) continue;
    const name = `spares-${Buffer.from(deps.random.bytes(8)).toString('hex')}`;
    const part = await writePart(deps, batch.id, name, lines);
    const now = unixSeconds(deps.clock);
    await deps.store.segments.commit({
      batchId: batch.id,
      now,
      leaseUntil: now,
      part,
      segments: [],
      entries: [],
      completed: lines.filter((line) => line.succeeded).length,
      failed: lines.filter((line) => !line.succeeded).length,
      usage: batchUsageOf(lines.map((line) => line.usage)),
    });
  }
}

/** The results of those lines of a spare part that have none. */
async function leftOf(deps: Deps, batch: BatchRow, spare: PartRow): Promise<LineResult[]> {
  const { firstLine, lastLine } = spare;
  const done = await committedLines(deps, spare);
  const spent = await deps.store.ledger.spent(batch.id, firstLine + 1, lastLine + 1);
  const answers = new SpareAnswers(deps, spare);
  const lines: LineResult[] = [];
  const { index } = await readIndex(deps.files, spare);
  for (let at = 0; at < index.count; at++) {
    const line = index.line(at);
    if (done.has(line)) continue;
    const { attempts, amountNano } = spent.get(line + 1) ?? { attempts: 1, amountNano: null };
    const result = await answers.resultOf(line, { attempts, costNano: amountNano, warning: WARNING });
    if (result !== null) lines.push(result);
  }
  return lines;
}
