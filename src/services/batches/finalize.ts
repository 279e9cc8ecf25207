import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { BUDGET_EXCEEDED } from '../../core/budget-scope.ts';
import { formatId, ID_BYTES } from '../../core/ids.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { FileWriter } from '../../ports/files.ts';
import type { BatchRow, NeverRun } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { BatchError } from '../../protocol/batch.ts';
import type { ResultLine } from '../../protocol/result-line.ts';
import { givenUp } from '../results/given-up.ts';
import { enterDoubts } from '../segments/enter-doubts.ts';
import { type BatchLine, STRICT_END, strictHead } from './batch-line.ts';
import { INPUT_LOST, inputLostError } from './input-lost.ts';
import { batchLineGroups, RESULT_LOST } from './lines.ts';
import { PartReader } from './part-reader.ts';
import { takeSpares } from './take-spares.ts';

const WRITE_BYTES = 256 * 1024;
/** Most batches are small, and come in numbers. */
const FIRST_BYTES = 16 * 1024;
const LOST: ReadonlySet<string> = new Set([RESULT_LOST, INPUT_LOST]);

/**
 * Ends a batch: writes its output and error files in input order from the parts, every line exactly once, and sets the
 * final status together with the files. A crash on the way leaves nothing but bytes that the sweep removes. Throws
 * where results or input cannot be read, unless that is to be given up: then the lines are errors that say so. Answers
 * whether it came to its end.
 */
export async function finalizeBatch(
  services: Deps,
  batch: BatchRow,
  input: FileRow | null,
  { token, giveUp }: { token: string; giveUp: boolean },
): Promise<{ ended: boolean }> {
  const deps = giveUp ? givenUp(services) : services;
  if (batch.stop !== null && batch.status !== 'finalizing') await enterDoubts(deps, batch, token, { giveUp });
  if (batch.status !== 'finalizing') await takeSpares(deps, batch);
  if (batch.status === 'in_progress') {
    const begun = await deps.store.batches.beginFinalizing(batch.id, token, unixSeconds(deps.clock));
    if (!begun) return { ended: false };
  }
  const rest = batch.stop ?? 'lost';
  const output = new ResultFile(deps, batch, 'output');
  const errors = new ResultFile(deps, batch, 'error');
  /** Lines that a budget kept from being run. */
  let stopped = 0;
  /** Lines that cannot be read, or their results. */
  let lost = 0;
  const neverRun = batch.front === null ? null : { cancelled: 0, expired: 0 };
  try {
    const reader = new PartReader(deps.files, { forward: true, strict: !giveUp });
    for await (const group of batchLineGroups(deps, batch, reader, { from: 0, rest, input })) {
      for (const line of group) {
        if (line.state === 'pending') continue;
        if (line.state === 'missing' && line.failure.code === BUDGET_EXCEEDED) stopped += 1;
        if (line.state === 'missing' && LOST.has(line.failure.code)) lost += 1;
        const file = line.state === 'finished' && line.succeeded ? output : errors;
        if (neverRun !== null && file === errors) await countNeverRun(neverRun, reader, line);
        const part = line.state === 'finished' ? reader.held(line.record) : null;
        // To wait for each line would cost more than to copy it: most find their part in memory.
        if (part === null || !file.copy(part, line)) await file.write(await strictHead(reader, line));
      }
    }
    if (lost > 0) deps.log.error({ batch: batch.id, lost }, 'lines that cannot be read any more are in the error file');
    const outputFile = await output.close();
    const errorFile = await errors.close();
    const ended = await deps.store.batches.finish(batch.id, token, {
      now: unixSeconds(deps.clock),
      ...endOf(batch, stopped),
      neverRun,
      completed: output.lines,
      failed: errors.lines,
      outputFile,
      errorFile,
    });
    return { ended };
  } catch (error) {
    await Promise.all([output.abort(), errors.abort()]);
    throw error;
  }
}

/** Counts a line whose error says that it did not run, by whatever stopped it. */
async function countNeverRun(
  counts: NeverRun,
  reader: PartReader,
  line: Exclude<BatchLine, { state: 'pending' }>,
): Promise<void> {
  const head = Buffer.concat([await strictHead(reader, line), STRICT_END]);
  const { error } = JSON.parse(head.toString('utf8')) as ResultLine;
  if (error?.code === 'batch_cancelled') counts.cancelled += 1;
  if (error?.code === 'batch_expired') counts.expired += 1;
}

/** A batch that its budget stopped has ended as if it had not, when what was in flight by then was all that was left of it. */
function endOf(
  { stop }: Pick<BatchRow, 'stop'>,
  stopped: number,
): { status: 'completed' | 'expired' | 'cancelled'; errors: BatchError[] | null } {
  if (stop === 'input_lost') return { status: 'cancelled', errors: [inputLostError()] };
  if (stop !== 'budget') return { status: stop ?? 'completed', errors: null };
  if (stopped === 0) return { status: 'completed', errors: null };
  const message =
    `A budget that covers this batch is spent: ${stopped} of its requests were not executed. ` +
    'Ask the operator for more, then retry the batch.';
  return { status: 'cancelled', errors: [{ code: BUDGET_EXCEEDED, message, param: null, line: null }] };
}

/** One of the two files of a batch; it exists only when it has a line. */
class ResultFile {
  lines = 0;
  private readonly deps: Deps;
  private readonly batch: BatchRow;
  private readonly kind: 'output' | 'error';
  private readonly id: string;
  private readonly hash = createHash('sha256');
  private writer: FileWriter | null = null;
  /** Made for the first line: most batches have no error file. */
  private waiting: Buffer | null = null;
  private waitingBytes = 0;
  private bytes = 0;

  constructor(deps: Deps, batch: BatchRow, kind: 'output' | 'error') {
    this.deps = deps;
    this.batch = batch;
    this.kind = kind;
    this.id = formatId('file-', deps.random.bytes(ID_BYTES));
  }

  /** Takes a line from the part that holds it; false when there is no room for it before the next write. */
  copy(part: Uint8Array, line: BatchLine): boolean {
    if (line.state !== 'finished') return false;
    const { offset, strictLength } = line.record.entry;
    if (this.waitingBytes + strictLength + STRICT_END.length > WRITE_BYTES) return false;
    this.lines += 1;
    this.take(part.subarray(offset, offset + strictLength));
    this.take(STRICT_END);
    return true;
  }

  /** Takes a line that is given up to its end. */
  async write(head: Uint8Array): Promise<void> {
    this.lines += 1;
    if (this.waitingBytes + head.length + STRICT_END.length > WRITE_BYTES) await this.flush();
    if (head.length + STRICT_END.length > WRITE_BYTES) {
      await this.append(head);
      await this.append(STRICT_END);
      return;
    }
    this.take(head);
    this.take(STRICT_END);
  }

  async close(): Promise<FileRow | null> {
    if (this.lines === 0) return null;
    if (this.writer === null && this.waiting !== null) await this.put(this.waiting.subarray(0, this.waitingBytes));
    else {
      await this.flush();
      await this.writer?.close();
    }
    const now = unixSeconds(this.deps.clock);
    return {
      id: this.id,
      tenantId: this.batch.tenantId,
      keyId: this.batch.keyId,
      filename: `${this.batch.id}_${this.kind}.jsonl`,
      purpose: 'batch_output',
      bytes: this.bytes,
      sha256: this.hash.digest('hex'),
      createdAt: now,
      expiresAt: now + (this.batch.outputExpiresAfterSeconds ?? this.deps.settings.batchFileSeconds),
      deletedAt: null,
      contentKey: `files/${this.id}`,
      planKey: null,
      plan: null,
    };
  }

  async abort(): Promise<void> {
    await this.writer?.abort();
  }

  private take(bytes: Uint8Array): void {
    const needed = this.waitingBytes + bytes.length;
    if (this.waiting === null || this.waiting.length < needed) this.waiting = this.grown(needed);
    this.waiting.set(bytes, this.waitingBytes);
    this.waitingBytes += bytes.length;
  }

  private grown(needed: number): Buffer {
    let length = this.waiting?.length ?? FIRST_BYTES;
    while (length < needed) length = Math.min(WRITE_BYTES, length * 4);
    const larger = Buffer.allocUnsafeSlow(length);
    this.waiting?.copy(larger, 0, 0, this.waitingBytes);
    return larger;
  }

  /** The whole file in one step. */
  private async put(bytes: Uint8Array): Promise<void> {
    this.bytes = bytes.byteLength;
    this.hash.update(bytes);
    await this.deps.files.put(`files/${this.id}`, new Uint8Array(bytes));
  }

  private async flush(): Promise<void> {
    const length = this.waitingBytes;
    this.waitingBytes = 0;
    if (this.waiting !== null && length > 0) await this.append(this.waiting.subarray(0, length));
  }

  private async append(bytes: Uint8Array): Promise<void> {
    this.bytes += bytes.byteLength;
    this.hash.update(bytes);
    this.writer ??= await this.deps.files.create(`files/${this.id}`);
    await this.writer.write(bytes);
  }
}
