import { ApiError } from '../../core/api-error.ts';
import type { IdHash } from '../../core/id-hash.ts';
import { IdSet } from '../../core/id-set.ts';
import { LINE_BLANK, LINE_INVALID, PLAN_RECORD_BYTES, type PlanSummary, writePlanRecord } from '../../core/plan.ts';
import { RequestScanner } from '../../core/request-scan.ts';
import { checkLine, lineTooLong, looksLikeJson, type RequestHead } from '../../core/validate-input.ts';
import type { Settings } from '../../ports/settings.ts';
import type { BatchError } from '../../protocol/batch.ts';
import type { Endpoint } from '../../protocol/endpoint.ts';

const recordsPerBlock = 4_096;
/** Beyond these, lines whose ids look like duplicates are counted and no longer looked at one by one. */
const suspectsMax = 1_000;

/** A line whose custom_id has the hash of an earlier one. Lines are 0-based. */
export interface Suspect extends RequestHead {
  line: number;
  firstLine: number;
}

/** The head of a request whose custom_id is seldom asked for. */
interface NamedHead extends Pick<RequestHead, 'model' | 'endpoint'> {
  customId(): string;
}

/** Builds the plan of a file, line by line: records in blocks to be written, and the summary. Needs no clock and no I/O. */
export class PlanBuilder {
  readonly #settings: Settings;
  readonly #hash: IdHash;
  readonly #ids = new IdSet();
  readonly #scanner = new RequestScanner();
  #block = newBlock();
  #inBlock = 0;
  #full: Uint8Array[] = [];
  #lines = 0;
  #requests = 0;
  #sawText = false;
  readonly #models = new Map<string, { index: number; count: number }>();
  readonly #endpoints = new Map<Endpoint, { index: number; count: number; firstLine: number }>();
  readonly #errors: BatchError[] = [];
  #duplicates: readonly BatchError[] = [];
  #errorCount = 0;
  #suspects: Suspect[] = [];
  #unseenSuspects = 0;
  #refusal: ApiError | null = null;

  constructor(settings: Settings, hash: IdHash) {
    this.#settings = settings;
    this.#hash = hash;
  }

  /** Why the file cannot be a batch input at all; the plan is of no use then. */
  get refusal(): ApiError | null {
    return this.#refusal;
  }

  /** Takes the next physical line, of `length` bytes at `offset`: `bytes` from `from` to `to`, or null when it is too long. */
  add(bytes: Uint8Array | null, from: number, to: number, offset: number, length: number): void {
    if (this.#refusal !== null) return;
    if (this.#lines === this.#settings.maxLines) {
      this.#refuse(
        `The file has more than ${this.#settings.maxLines} lines. Split it into several files.`,
        'too_many_lines',
      );
      return;
    }
    const line = this.#lines++;
    if (bytes !== null && this.#scanner.scan(bytes, from, to)) {
      this.#sawText = true;
      this.#scanner.hashId(this.#hash);
      this.#addRequest(this.#scanner, line, offset, length);
    } else this.#addUnusual(bytes === null ? null : bytes.subarray(from, to), line, offset, length);
  }

  /** Ends the lines: a file without any is refused. */
  end(bytes: number): void {
    if (this.#refusal !== null || this.#sawText) return;
    const found = bytes === 0 ? 'The file is empty' : 'The file holds only blank lines';
    this.#refuse(
      `Invalid file format for Batch API. Must be .jsonl. ${found}: write one request per line.`,
      'empty_file',
    );
  }

  /** Blocks of records that are ready to be written; with `all`, the rest too. */
  takeBlocks(all: boolean): Uint8Array[] {
    const blocks = this.#full;
    this.#full = [];
    if (all && this.#inBlock > 0) {
      blocks.push(new Uint8Array(this.#block.buffer, 0, this.#inBlock * PLAN_RECORD_BYTES));
      this.#block = newBlock();
      this.#inBlock = 0;
    }
    return blocks;
  }

  /** Lines to be looked at before they are called duplicates, in order. They are marked invalid in the plan. */
  get suspects(): readonly Suspect[] {
    return this.#suspects;
  }

  /** Says what became of the suspects: duplicates are errors, cleared ones are requests after all. */
  settle(duplicates: readonly BatchError[], unchecked: number, cleared: readonly Suspect[]): void {
    this.#duplicates = duplicates;
    this.#errorCount += duplicates.length + unchecked + this.#unseenSuspects;
    for (const suspect of cleared) this.#count(suspect, suspect.line);
  }

  summary(): PlanSummary {
    return {
      lines: this.#lines,
      requests: this.#requests,
      models: [...this.#models].map(([name, { count }]) => ({ name, count })),
      endpoints: [...this.#endpoints].map(([endpoint, { count, firstLine }]) => ({ endpoint, count, firstLine })),
      errors: [...this.#errors, ...this.#duplicates]
        .sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
        .slice(0, this.#settings.maxLineErrors),
      errorCount: this.#errorCount,
    };
  }

  /** A line that is none of the usual ones: blank, faulty, or a request that only the full check can read. */
  #addUnusual(bytes: Uint8Array | null, line: number, offset: number, length: number): void {
    if (bytes !== null && isBlank(bytes)) {
      this.#record(offset, length, 0, 0, LINE_BLANK);
      return;
    }
    const checked = bytes === null ? this.#tooLong(line, length) : checkLine(bytes, line + 1);
    if (!this.#sawText && bytes !== null && checked.error?.code === 'invalid_json_line' && !looksLikeJson(bytes)) {
      this.#refuseFormat(bytes, line + 1);
      return;
    }
    this.#sawText = true;
    if (checked.head !== undefined) {
      const { customId, model, endpoint } = checked.head;
      this.#hash.ofText(customId);
      this.#addRequest({ customId: () => customId, model, endpoint }, line, offset, length);
      return;
    }
    this.#errorCount += 1;
    if (this.#errors.length < this.#settings.maxLineErrors) this.#errors.push(checked.error);
    this.#record(offset, length, 0, 0, LINE_INVALID);
  }

  /** A request whose custom_id has been hashed. */
  #addRequest(head: NamedHead, line: number, offset: number, length: number): void {
    if (!this.#models.has(head.model) && this.#models.size === this.#settings.maxModels) {
      this.#refuse(
        `The file names more than ${this.#settings.maxModels} models. Split it into several files.`,
        'too_many_models',
      );
      return;
    }
    const firstLine = this.#ids.add(this.#hash, line);
    if (firstLine !== -1) {
      const { model, endpoint } = head;
      if (this.#suspects.length >= suspectsMax) this.#unseenSuspects += 1;
      else this.#suspects.push({ customId: head.customId(), model, endpoint, line, firstLine });
    }
    // A suspect gets its indexes too: should it be cleared, only its flag changes.
    const { model, endpoint } = this.#indexes(head, line);
    if (firstLine === -1) this.#count(head, line);
    this.#record(offset, length, model, endpoint, firstLine === -1 ? 0 : LINE_INVALID);
  }

  #indexes(head: Pick<RequestHead, 'model' | 'endpoint'>, line: number): { model: number; endpoint: number } {
    let model = this.#models.get(head.model);
    if (model === undefined) {
      model = { index: this.#models.size, count: 0 };
      this.#models.set(head.model, model);
    }
    let endpoint = this.#endpoints.get(head.endpoint);
    if (endpoint === undefined) {
      endpoint = { index: this.#endpoints.size, count: 0, firstLine: line + 1 };
      this.#endpoints.set(head.endpoint, endpoint);
    }
    return { model: model.index, endpoint: endpoint.index };
  }

  #count(head: Pick<RequestHead, 'model' | 'endpoint'>, line: number): void {
    const model = this.#models.get(head.model);
    const endpoint = this.#endpoints.get(head.endpoint);
    if (model === undefined || endpoint === undefined) throw new Error(`line ${line + 1} has no place in the plan`);
    this.#requests += 1;
    model.count += 1;
    endpoint.count += 1;
  }

  #record(offset: number, length: number, model: number, endpoint: number, flags: number): void {
    writePlanRecord(this.#block, this.#inBlock++, {
      offset,
      length: Math.min(length, 0xffff_ffff),
      model,
      endpoint,
      flags,
    });
    if (this.#inBlock < recordsPerBlock) return;
    this.#full.push(new Uint8Array(this.#block.buffer));
    this.#block = newBlock();
    this.#inBlock = 0;
  }

  #tooLong(line: number, length: number): { head?: never; error: BatchError } {
    return { error: lineTooLong(line + 1, length, this.#settings.maxLineBytes) };
  }

  #refuseFormat(bytes: Uint8Array, line: number): void {
    const utf16 =
      (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff) || bytes.includes(0);
    const found = utf16
      ? 'The file looks like UTF-16: save it as UTF-8.'
      : `Line ${line} is not JSON: write one request per line.`;
    this.#refuse(`Invalid file format for Batch API. Must be .jsonl. ${found}`, 'invalid_file_format');
  }

  #refuse(message: string, code: string): void {
    this.#refusal = new ApiError(400, message, { code, param: 'file' });
  }
}

function newBlock(): DataView<ArrayBuffer> {
  return new DataView(new ArrayBuffer(recordsPerBlock * PLAN_RECORD_BYTES));
}

function isBlank(bytes: Uint8Array): boolean {
  // Most lines end this loop at their first byte.
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] as number;
    if (byte !== 0x20 && (byte < 0x09 || byte > 0x0d)) return false;
  }
  return true;
}
