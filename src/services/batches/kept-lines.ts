import { Buffer } from 'node:buffer';
import { BUDGET_EXCEEDED } from '../../core/budget-scope.ts';
import { type FailureKind, refusal } from '../../core/failure.ts';
import { LineFramer } from '../../core/jsonl.ts';
import { RECORD_SUCCEEDED } from '../../core/part.ts';
import { detailsText, lineOfResult } from '../../core/result-text.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { LineTotal } from '../../ports/store-ledger.ts';
import type { ResultLine } from '../../protocol/result-line.ts';
import { type BatchLine, missingDetails } from './batch-line.ts';
import { type PartReader, WINDOW_LINES } from './part-reader.ts';

/**
 * The lines of an ended batch whose input file is gone, in input order: results from its parts, and the lines without
 * one as its error file says them. `lines` is the number of the input's physical lines.
 */
export async function* keptLines(
  deps: Deps,
  batch: BatchRow,
  reader: PartReader,
  options: { from: number; lines: number; totals?: boolean },
): AsyncGenerator<BatchLine> {
  const errors = errorLines(deps, batch);
  try {
    let error = await errors.next();
    for (let first = options.from; first < options.lines; first += WINDOW_LINES) {
      const last = Math.min(options.lines, first + WINDOW_LINES) - 1;
      const located = await reader.locate(deps.store.segments, batch.id, first, last);
      const totals = options.totals
        ? await deps.store.ledger.lineTotals(batch.id, first + 1, last + 1)
        : new Map<number, LineTotal>();
      for (let line = first; line <= last; line++) {
        while (!error.done && error.value.line < line) error = await errors.next();
        const record = located.get(line);
        const total = totals.get(line + 1);
        if (record) await reader.hold(record);
        if (record && reader.isWhole(record)) {
          yield { state: 'finished', line, succeeded: (record.entry.flags & RECORD_SUCCEEDED) !== 0, record, total };
        } else if (!error.done && error.value.line === line) {
          yield missingFrom(error.value, total);
        }
      }
    }
  } finally {
    await errors.return(undefined);
  }
}

const KINDS: ReadonlyMap<string, FailureKind> = new Map([
  ['batch_cancelled', 'cancelled'],
  ['batch_expired', 'expired'],
  [BUDGET_EXCEEDED, 'quota_exhausted'],
]);

interface ErrorLine {
  /** 0-based. */
  line: number;
  text: string;
  result: ResultLine;
}

async function* errorLines(deps: Deps, batch: BatchRow): AsyncGenerator<ErrorLine, undefined> {
  const file = batch.errorFileId === null ? null : await deps.store.files.getAny(batch.errorFileId);
  if (file === null || file.deletedAt !== null) return;
  let texts: string[] = [];
  const framer = new LineFramer(Number.MAX_SAFE_INTEGER, (bytes) => texts.push(Buffer.from(bytes ?? []).toString()));
  for await (const chunk of await deps.files.read(file.contentKey)) {
    framer.push(chunk);
    for (const text of texts) {
      const result = JSON.parse(text) as ResultLine;
      const line = lineOfResult(batch.id, result.id);
      if (line !== null) yield { line, text, result };
    }
    texts = [];
  }
}

function missingFrom({ line, text, result }: ErrorLine, total: LineTotal | undefined): BatchLine {
  const head = text.slice(0, -1);
  const { code, message } = result.error ?? { code: 'error', message: '' };
  return {
    state: 'missing',
    line,
    failure: refusal(KINDS.get(code) ?? 'interrupted', code, message),
    text: head + detailsText(missingDetails(line, total)),
    strictBytes: Buffer.byteLength(head),
  };
}
