import { randomBytes } from 'node:crypto';
import { countOne } from './counters.ts';
import { type BatchLine, checkLines, type LineError, runLine, unrunLine } from './openai-batch-lines.ts';
import type { BatchFault, BatchSettings, Operation } from './openai-batch-settings.ts';
import type { ServerState } from './state.ts';

export interface StoredFile {
  id: string;
  bytes: Buffer;
  filename: string;
  purpose: string;
  createdMs: number;
  /** Seconds after which it goes by itself; null for never. */
  expiresAfter: number | null;
  readyMs: number;
  foreign: boolean;
}

export interface StoredBatch {
  id: string;
  endpoint: string;
  model: string | null;
  inputFileId: string;
  window: string | null;
  metadata: Record<string, unknown> | null;
  createdMs: number;
  cancelledMs: number | null;
  isOverdue: boolean;
  status: 'validating' | 'in_progress' | 'finalizing' | 'completed' | 'failed' | 'expired' | 'cancelling' | 'cancelled';
  lines: BatchLine[];
  errors: LineError[];
  tokens: number;
  done: number;
  failed: number;
  outputFileId: string | null;
  errorFileId: string | null;
  endedMs: number | null;
  /** Of all answers; null until it has ended. */
  usage: { input: number; output: number } | null;
  /** Polls since its end. */
  pollsAfterEnd: number;
  /** Azure: where its results go as blobs. */
  outputFolder?: string;
  foreign: boolean;
}

/** Exact counts since the start. */
export interface BatchCounters {
  batches_created: number;
  files_uploaded: number;
  files_deleted: number;
  lines_run: number;
  content_bytes_sent: number;
  by_operation: Record<Operation, number>;
}

const over = new Set(['completed', 'failed', 'expired', 'cancelled']);

/** Files and batches of one simulated account. Time moves by the clock; a batch is brought up to date whenever it is looked at. */
export class BatchStore {
  readonly files = new Map<string, StoredFile>();
  readonly batches = new Map<string, StoredBatch>();
  readonly counters: BatchCounters;
  settings: BatchSettings;
  /** Answers the lines. */
  readonly answers: ServerState;

  constructor(settings: BatchSettings, answers: ServerState) {
    this.settings = settings;
    this.answers = answers;
    const operations = {
      upload: 0,
      file: 0,
      files: 0,
      delete: 0,
      content: 0,
      create: 0,
      poll: 0,
      list: 0,
      cancel: 0,
      any: 0,
    };
    this.counters = {
      batches_created: 0,
      files_uploaded: 0,
      files_deleted: 0,
      lines_run: 0,
      content_bytes_sent: 0,
      by_operation: operations,
    };
  }

  /** The fault that is due for an operation, which is then used up by one. */
  takeFault(operation: Operation): BatchFault['fault'] | null {
    const { faults } = this.settings;
    const due = faults.find(({ on }) => on === operation || on === 'any');
    if (due === undefined) return null;
    if (due.times !== null) {
      due.times -= 1;
      if (due.times === 0) this.settings = { ...this.settings, faults: faults.filter((fault) => fault !== due) };
    }
    return due.fault;
  }

  addFile(file: Pick<StoredFile, 'bytes' | 'filename' | 'purpose' | 'expiresAfter'>, foreign = false): StoredFile {
    const now = Date.now();
    const stored = { ...file, id: newId('file-'), createdMs: now, readyMs: now + this.settings.file_ms, foreign };
    this.files.set(stored.id, stored);
    return stored;
  }

  addBatch(
    order: Pick<StoredBatch, 'endpoint' | 'model' | 'inputFileId' | 'window' | 'metadata' | 'outputFolder'>,
    foreign = false,
  ): StoredBatch {
    const input = this.files.get(order.inputFileId)?.bytes ?? Buffer.alloc(0);
    const { lines, errors } = checkLines(input, order.endpoint, order.model, this.settings);
    const batch: StoredBatch = {
      ...order,
      id: newId('batch_'),
      createdMs: Date.now(),
      cancelledMs: null,
      isOverdue: false,
      status: 'validating',
      lines,
      errors,
      tokens: Math.ceil(input.length / 4),
      done: 0,
      failed: 0,
      outputFileId: null,
      errorFileId: null,
      endedMs: null,
      usage: null,
      pollsAfterEnd: 0,
      foreign,
    };
    if (this.settings.unpaid && errors.length === 0) {
      const spent = 'Billing hard limit has been reached';
      errors.push({ code: 'billing_hard_limit_reached', message: spent, param: null, line: null });
    }
    const message = this.tokenProblem(batch.tokens);
    if (message !== null && errors.length === 0)
      errors.push({ code: 'token_limit_exceeded', message, param: null, line: null });
    this.batches.set(batch.id, batch);
    if (!foreign) this.counters.batches_created += 1;
    return batch;
  }

  /** Why a batch with so many tokens does not fit into the queue now; null when it does. */
  tokenProblem(tokens: number): string | null {
    const { enqueued_tokens: limit, flavour } = this.settings;
    if (limit === null) return null;
    const queued = [...this.batches.values()].filter((batch) => !over.has(batch.status));
    const sum = queued.reduce((total, batch) => total + batch.tokens, tokens);
    if (sum <= limit) return null;
    return flavour === 'azure'
      ? `The number of enqueued tokens has surpassed the configured limit of ${limit} for the deployment. Please either increase the limit or try again once the current jobs have finished.`
      : `Enqueued token limit reached for the model in organization org-x. Limit: ${limit.toLocaleString('en-US')} enqueued tokens. Please try again once some in_progress batches have been completed.`;
  }

  /** Brings a batch to where it is now. */
  settle(batch: StoredBatch): StoredBatch {
    const { job_ms: jobMs, cancel_ms: cancelMs, stop_at: stopAt } = this.settings;
    if (over.has(batch.status)) return batch;
    const now = Date.now();
    const share = jobMs === 0 ? 1 : (now - batch.createdMs) / jobMs;
    if (batch.foreign) return batch;
    if (batch.cancelledMs !== null) {
      batch.status = 'cancelling';
      if (now - batch.cancelledMs >= cancelMs) this.#end(batch, 'cancelled', stopAt ?? Math.min(1, share));
    } else if (batch.errors.length > 0) {
      if (share >= 0.2) this.#fail(batch);
    } else if (batch.isOverdue) this.#end(batch, 'expired', stopAt ?? Math.min(1, share));
    else if (share < 0.2) batch.status = 'validating';
    else if (stopAt !== null) this.#run(batch, stopAt);
    else if (share >= 1) this.#end(batch, 'completed', 1);
    else if (share >= 0.8) batch.status = 'finalizing';
    else this.#run(batch, share);
    return batch;
  }

  #run(batch: StoredBatch, share: number): void {
    batch.status = 'in_progress';
    batch.done = Math.floor(batch.lines.length * share);
  }

  #fail(batch: StoredBatch): void {
    if (batch.outputFolder !== undefined) {
      batch.outputFileId = this.#store(batch, [], 'output');
      batch.errorFileId = this.#store(batch, [], 'error');
    }
    batch.status = 'failed';
    batch.endedMs = Date.now();
  }

  #end(batch: StoredBatch, status: 'completed' | 'expired' | 'cancelled', share: number): void {
    const { odd_lines: isOdd, flavour } = this.settings;
    const output: string[] = [];
    const errors: string[] = [];
    const run = status === 'completed' ? batch.lines.length : Math.floor(batch.lines.length * share);
    batch.lines.forEach((line, index) => {
      if (index < run) {
        const { ok, text } = runLine(line, index, this.answers, this.settings);
        (ok ? output : errors).push(text);
        const key = ok ? this.answers.hooks.countBy?.(line.body) : undefined;
        if (key !== undefined) countOne(this.answers.counters.answered_by_custom, key);
        this.counters.lines_run += 1;
      } else if (status !== 'completed') errors.push(unrunLine(line, index, status));
    });
    batch.done = output.length;
    batch.failed = errors.length;
    batch.usage = usageOf(output);
    if (isOdd) addOddLines(output);
    // The order of the output is not that of the input.
    output.reverse();
    batch.outputFileId = this.#store(batch, output, 'output');
    batch.errorFileId = this.#store(batch, errors, 'error', flavour === 'azure');
    batch.status = status;
    batch.endedMs = Date.now();
  }

  /** The address is told even when nothing is written. */
  #storeBlob(batch: StoredBatch, bytes: Buffer, kind: 'output' | 'error'): string {
    const id = `${batch.outputFolder}/${batch.id.slice('batch_'.length)}/${kind === 'output' ? 'results' : 'errors'}.jsonl`;
    const file = { bytes, filename: id, purpose: 'batch_output', expiresAfter: null, foreign: false };
    const createdMs = Date.now();
    if (bytes.length > 0) this.files.set(id, { ...file, id, createdMs, readyMs: createdMs });
    return id;
  }

  /** Stores a result file; none is made of nothing, except where an empty one is always there. */
  #store(batch: StoredBatch, rows: string[], kind: 'output' | 'error', always = false): string | null {
    const bytes = Buffer.from(rows.map((row) => `${row}\n`).join(''));
    if (batch.outputFolder !== undefined) return this.#storeBlob(batch, bytes, kind);
    if (rows.length === 0 && !always) return null;
    const filename = `${batch.id}_${kind}.jsonl`;
    return this.addFile({ bytes, filename, purpose: 'batch_output', expiresAfter: null }).id;
  }
}

/** The sum of what the answers report. */
function usageOf(output: readonly string[]): { input: number; output: number } {
  const sum = { input: 0, output: 0 };
  for (const line of output) {
    const { response } = JSON.parse(line) as { response: { body: { usage?: Record<string, number> } } };
    const usage = response.body.usage ?? {};
    sum.input += usage.prompt_tokens ?? usage.input_tokens ?? 0;
    sum.output += usage.completion_tokens ?? usage.output_tokens ?? 0;
  }
  return sum;
}

/** What no service should write, and some have. */
function addOddLines(output: string[]): void {
  const first = output[0];
  if (first === undefined) return;
  output.push(first.replace('"content":"', '"content":"Another answer. '));
  output.push(first.replace(/"custom_id":"[^"]*"/, '"custom_id":"nobody"'), first.replace(/"custom_id":"[^"]*",/, ''));
  output.push('', first.slice(0, first.length / 2), '   ');
}

function newId(prefix: string): string {
  return prefix + randomBytes(12).toString('hex');
}
