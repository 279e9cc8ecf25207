import { Buffer } from 'node:buffer';
import type { PartIndexEntry } from '../../core/part.ts';
import { encodePartIndex, RECORD_SUCCEEDED, recordCheck } from '../../core/part.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { PartRow } from '../../ports/store-segments.ts';
import type { LineResult } from './line-result.ts';

/** Writes the part `name` of a batch, durably; it counts only once its row is committed. */
export async function writePart(
  deps: Pick<Deps, 'files' | 'clock'>,
  batchId: string,
  name: string,
  lines: readonly LineResult[],
): Promise<PartRow> {
  const index: PartIndexEntry[] = [];
  let offset = 0;
  let firstLine = Number.POSITIVE_INFINITY;
  let lastLine = 0;
  for (const line of lines) {
    const length = line.record.length - 1;
    index.push({
      line: line.line,
      offset,
      length,
      strictLength: line.strictBytes,
      flags: line.succeeded ? RECORD_SUCCEEDED : 0,
      check: recordCheck(line.record.subarray(0, length)),
      attempts: line.attempts,
    });
    firstLine = Math.min(firstLine, line.line);
    lastLine = Math.max(lastLine, line.line);
    offset += length + 1;
  }
  const encoded = encodePartIndex(index);
  const key = `batches/${batchId}/parts/${name}`;
  const bytes = Buffer.allocUnsafeSlow(offset + encoded.byteLength);
  let at = 0;
  for (const { record } of lines) {
    bytes.set(record, at);
    at += record.length;
  }
  bytes.set(encoded, at);
  await deps.files.put(key, bytes);
  return {
    key,
    batchId,
    firstLine,
    lastLine,
    count: lines.length,
    bytes: at + encoded.byteLength,
    indexOffset: offset,
    createdAt: unixSeconds(deps.clock),
    busyMs: null,
    busyFrom: null,
    busyUntil: null,
  };
}
