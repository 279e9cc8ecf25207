import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { BUDGET_EXCEEDED } from '../../core/budget-scope.ts';
import { formatId, ID_BYTES } from '../../core/ids.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { FileWriter } from '../../ports/files.ts';
import type { BatchRow, NeverRun } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { ResultLine } from '../../protocol/result-line.ts';
import { type BatchLine, STRICT_END, strictHead } from './batch-line.ts';
import { INPUT_LOST } from './input-lost.ts';
import { RESULT_LOST } from './lines.ts';
import type { PartReader } from './part-reader.ts';

const WRITE_BYTES = 256 * 1024;
/** Most batches are small, and come in numbers. */
const FIRST_BYTES = 16 * 1024;
const LOST: ReadonlySet<string> = new Set([RESULT_LOST, INPUT_LOST]);

export type AssemblyDeps = Pick<Deps, 'files' | 'clock' | 'random' | 'settings'>;

/** A batch's output and error files while they are written. Lines are taken in input order, each once. */
export class Assembly {
  /** 0-based: the lines before it were taken. */
  next = 0;
  /** Lines that a budget kept from being run. */
  stopped = 0;
  /** Lines that cannot be read, or their results. */
  lost = 0;
  readonly neverRun: NeverRun | null;
  private readonly output: ResultFile;
  private readonly errors: ResultFile;

  constructor(deps: AssemblyDeps, batch: BatchRow) {
    this.output = new ResultFile(deps, batch, 'output');
    this.errors = new ResultFile(deps, batch, 'error');
    this.neverRun = batch.front === null ? null : { cancelled: 0, expired: 0 };
  }

  /** Takes lines up to the first one that is still to come: false when there is such a one. */
  async take(reader: PartReader, lines: readonly BatchLine[]): Promise<boolean> {
    const { output, errors, neverRun } = this;
    for (const line of lines) {
      if (line.state === 'pending') return false;
      if (line.state === 'missing' && line.failure.code === BUDGET_EXCEEDED) this.stopped += 1;
      if (line.state === 'missing' && LOST.has(line.failure.code)) this.lost += 1;
      const file = line.state === 'finished' && line.succeeded ? output : errors;
      if (neverRun !== null && file === errors) await countNeverRun(neverRun, reader, line);
      const part = line.state === 'finished' ? reader.held(line.record) : null;
      // To wait for each line would cost more than to copy it: most find their part in memory.
      if (part === null || !file.copy(part, line)) await file.write(await strictHead(reader, line));
      this.next = line.line + 1;
    }
    return true;
  }

  /** Makes the files durable: their rows, and how many lines each has. */
  async close(): Promise<{
    completed: number;
    failed: number;
    outputFile: FileRow | null;
    errorFile: FileRow | null;
  }> {
    const { output, errors } = this;
    return {
      completed: output.lines,
      failed: errors.lines,
      outputFile: await output.close(),
      errorFile: await errors.close(),
    };
  }

  /** Leaves nothing of them. */
  async abort(): Promise<void> {
    await Promise.all([this.output.abort(), this.errors.abort()]);
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

/** One of the two files of a batch; it exists only when it has a line. */
class ResultFile {
  lines = 0;
  private readonly deps: AssemblyDeps;
  private readonly batch: BatchRow;
  private readonly kind: 'output' | 'error';
  private readonly id: string;
  private readonly hash = createHash('sha256');
  private writer: FileWriter | null = null;
  /** Made for the first line: most batches have no error file. */
  private waiting: Buffer | null = null;
  private waitingBytes = 0;
  private bytes = 0;

  constructor(deps: AssemblyDeps, batch: BatchRow, kind: 'output' | 'error') {
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
