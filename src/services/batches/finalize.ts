import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { formatId, ID_BYTES } from '../../core/ids.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { FileWriter } from '../../ports/files.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import { enterDoubts } from '../segments/enter-doubts.ts';
import { strictBytes } from './batch-line.ts';
import { batchLines } from './lines.ts';
import { PartReader } from './part-reader.ts';

const WRITE_BYTES = 256 * 1024;

/**
 * Ends a batch: writes its output and error files in input order from the parts, every line exactly once, and sets the
 * final status together with the files. A crash on the way leaves nothing but bytes that the sweep removes.
 */
export async function finalizeBatch(deps: Deps, batch: BatchRow, token: string): Promise<void> {
  if (batch.stop !== null && batch.status !== 'finalizing') await enterDoubts(deps, batch, token);
  if (batch.status === 'in_progress') {
    if (!(await deps.store.batches.beginFinalizing(batch.id, token, unixSeconds(deps.clock)))) return;
  }
  const rest = batch.stop ?? 'lost';
  const output = new ResultFile(deps, batch, 'output');
  const errors = new ResultFile(deps, batch, 'error');
  try {
    const reader = new PartReader(deps.files);
    for await (const line of batchLines(deps, batch, reader, { from: 0, rest })) {
      if (line.state === 'pending') continue;
      const succeeded = line.state === 'finished' && line.succeeded;
      await (succeeded ? output : errors).write(await strictBytes(reader, line));
    }
    const outputFile = await output.close();
    const errorFile = await errors.close();
    await deps.store.batches.finish(batch.id, token, {
      now: unixSeconds(deps.clock),
      status: batch.stop ?? 'completed',
      completed: output.lines,
      failed: errors.lines,
      outputFile,
      errorFile,
    });
  } catch (error) {
    await Promise.all([output.abort(), errors.abort()]);
    throw error;
  }
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
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private bytes = 0;

  constructor(deps: Deps, batch: BatchRow, kind: 'output' | 'error') {
    this.deps = deps;
    this.batch = batch;
    this.kind = kind;
    this.id = formatId('file-', deps.random.bytes(ID_BYTES));
  }

  async write(line: Buffer): Promise<void> {
    this.lines += 1;
    this.waiting.push(line);
    this.waitingBytes += line.byteLength;
    if (this.waitingBytes >= WRITE_BYTES) await this.flush();
  }

  async close(): Promise<FileRow | null> {
    if (this.lines === 0) return null;
    await this.flush();
    await this.writer?.close();
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

  private async flush(): Promise<void> {
    const chunk = Buffer.concat(this.waiting);
    this.waiting = [];
    this.waitingBytes = 0;
    this.bytes += chunk.byteLength;
    this.hash.update(chunk);
    this.writer ??= await this.deps.files.create(`files/${this.id}`);
    await this.writer.write(chunk);
  }
}
