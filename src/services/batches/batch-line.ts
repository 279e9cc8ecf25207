import { Buffer } from 'node:buffer';
import type { Failure } from '../../core/failure.ts';
import { toErrorBody } from '../../core/failure.ts';
import { escapeLineSeparators } from '../../core/jsonl.ts';
import { detailsText, parseDetails, resultRecord } from '../../core/result-text.ts';
import { textOf } from '../../core/validate-input.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { LineTotal } from '../../ports/store-ledger.ts';
import type { ResultDetails } from '../../protocol/result-line.ts';
import type { LocatedRecord, PartReader } from './part-reader.ts';

/** One line of a batch, in input order. */
export type BatchLine =
  | { state: 'finished'; line: number; succeeded: boolean; record: LocatedRecord; total: LineTotal | undefined }
  /** Has no result, and will have none: `text` is its synthesised one. */
  | { state: 'missing'; line: number; failure: Failure; text: string; strictBytes: number }
  | { state: 'pending'; line: number; total: LineTotal | undefined };

/** The result of a line that has none: it was refused, or its batch ended first. `line` is 0-based. */
export function missingLine(
  batch: BatchRow,
  line: number,
  { customId, failure, total }: { customId: string; failure: Failure; total: LineTotal | undefined },
): BatchLine {
  const error = toErrorBody(failure);
  const refused = failure.kind === 'not_found' || failure.kind === 'unsupported' || failure.kind === 'invalid_request';
  // A line that Weir itself refuses is answered as a provider would; one that never ran has no response.
  const { record, strictBytes } = resultRecord(
    {
      line,
      customId,
      batchId: batch.id,
      response: refused ? { statusCode: failure.kind === 'not_found' ? 404 : 400, requestId: null } : null,
      error: { code: error.code, message: error.message },
      details: missingDetails(line, total),
    },
    Buffer.from(refused ? escapeLineSeparators(JSON.stringify({ error })) : ''),
  );
  return { state: 'missing', line, failure, text: textOf(record.subarray(0, -1)), strictBytes };
}

/** What there is to say of a line without a result: what its tries cost, if it had any. */
export function missingDetails(line: number, total: LineTotal | undefined): ResultDetails {
  return {
    line: line + 1,
    provider: null,
    model: null,
    target: null,
    attempts: total?.attempts ?? 0,
    cost_nano_usd: total ? total.amountNano : 0,
    warnings: [],
    finish_reason: null,
    input_tokens: 0,
    output_tokens: 0,
  };
}

/** Ends a result line in OpenAI's strict shape, behind its `strictHead`. */
export const STRICT_END: Uint8Array = Buffer.from('}\n');

/** A result line in OpenAI's strict shape, up to STRICT_END. */
export async function strictHead(
  reader: PartReader,
  line: Exclude<BatchLine, { state: 'pending' }>,
): Promise<Uint8Array> {
  if (line.state === 'missing') return Buffer.from(line.text).subarray(0, line.strictBytes);
  return reader.slice(line.record, 0, line.record.entry.strictLength);
}

/** A result line with Weir's own details, with its line feed. */
export async function fullBytes(reader: PartReader, line: Exclude<BatchLine, { state: 'pending' }>): Promise<Buffer> {
  if (line.state === 'missing') return Buffer.from(`${line.text}\n`);
  const { strictLength, length } = line.record.entry;
  const strict = await reader.slice(line.record, 0, strictLength);
  const tail = Buffer.from(await reader.slice(line.record, strictLength, length));
  if (!line.total) return Buffer.concat([strict, tail, Buffer.from('\n')]);
  const details = parseDetails(tail.toString('utf8'));
  const { attempts, amountNano } = line.total;
  const counted = detailsText({ ...details, attempts, cost_nano_usd: amountNano });
  return Buffer.concat([strict, Buffer.from(`${counted}\n`)]);
}
