import { Buffer } from 'node:buffer';
import type { OutputLine } from '../protocol/result-line.ts';
import { type PartIndexEntry, RECORD_SUCCEEDED, recordCheck } from './part.ts';
import { detailsText, lineOfResult } from './result-text.ts';

const LINE_FEED = 0x0a;

/**
 * The entries of a batch's records in `bytes`, which are what is left of a part whose index is lost: of those that are
 * whole lines of JSON, in the order in which they stand there.
 */
export function salvageRecords(batchId: string, bytes: Uint8Array): PartIndexEntry[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: PartIndexEntry[] = [];
  for (let offset = 0; ; ) {
    const end = text.indexOf(LINE_FEED, offset);
    if (end < 0) return entries;
    const entry = entryOf(batchId, text.subarray(offset, end), offset);
    if (entry !== null) entries.push(entry);
    offset = end + 1;
  }
}

/** Null for what is no result of the batch, or not as it was written. */
function entryOf(batchId: string, record: Buffer, offset: number): PartIndexEntry | null {
  try {
    const result = JSON.parse(record.toString('utf8')) as OutputLine;
    const line = lineOfResult(batchId, result.id);
    const tail = Buffer.from(detailsText(result.weir));
    const strictLength = record.length - tail.length;
    if (line === null || strictLength <= 0 || !record.subarray(strictLength).equals(tail)) return null;
    return {
      line,
      offset,
      length: record.length,
      strictLength,
      flags: result.error === null ? RECORD_SUCCEEDED : 0,
      check: recordCheck(record),
      attempts: result.weir.attempts,
    };
  } catch {
    // Cut off, or written over.
    return null;
  }
}
