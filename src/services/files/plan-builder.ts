import { ApiError } from '../../core/api-error.ts';
import type { IdHash } from '../../core/id-hash.ts';
import { LINE_BLANK, LINE_INVALID, PLAN_RECORD_BYTES, type PlanSummary, writePlanRecord } from '../../core/plan.ts';
import { ID_RECORD_BYTES } from '../../core/repeats.ts';
import { RequestScanner } from '../../core/request-scan.ts';
import { checkLine, lineTooLong, looksLikeJson, type RequestHead } from '../../core/validate-input.ts';
import type { CheckSettings } from '../../ports/input-checks.ts';
import type { BatchError } from '../../protocol/batch.ts';
import type { Endpoint } from '../../protocol/endpoint.ts';

const recordsPerBlock = 4_096;

/** Records of the next lines, in blocks. */
export interface Blocks {
  /** Plan records. */
  plan: Uint8Array<ArrayBuffer>[];
  /** Hashes of custom_ids: see core/repeats.ts. */
  ids: Uint8Array<ArrayBuffer>[];
}

/**
 * Builds the plan of a file, line by line: records in blocks to be written, and the summary. Whether a custom_id stands
 * twice is for others to find, by the hashes. Needs no clock and no I/O.
 */
export class PlanBuilder {
  readonly #settings: CheckSettings;
  readonly #hash: IdHash;
  readonly #scanner = new RequestScanner();
  #plan = newPlanBlock();
  #ids = newIdBlock();
  #inBlock = 0;
  #full: Blocks = { plan: [], ids: [] };
  #lines = 0;
  #requests = 0;
  #sawText = false;
  readonly #models = new Map<string, { index: number; count: number }>();
  readonly #endpoints = new Map<Endpoint, { index: number; count: number; firstLine: number }>();
  readonly #errors: BatchError[] = [];
  #errorCount = 0;
  #refusal: ApiError | null = null;

  constructor(settings: CheckSettings, hash: IdHash) {
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
  takeBlocks(all: boolean): Blocks {
    if (all && this.#inBlock > 0) this.#endBlock();
    const blocks = this.#full;
    this.#full = { plan: [], ids: [] };
    return blocks;
  }

  /** What the lines hold so far, every custom_id taken for one of its own. */
  summary(): PlanSummary {
    return {
      lines: this.#lines,
      requests: this.#requests,
      models: [...this.#models].map(([name, { count }]) => ({ name, count })),
      endpoints: [...this.#endpoints].map(([endpoint, { count, firstLine }]) => ({ endpoint, count, firstLine })),
      errors: this.#errors,
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
      this.#hash.ofText(checked.head.customId);
      this.#addRequest(checked.head, line, offset, length);
      return;
    }
    this.#errorCount += 1;
    if (this.#errors.length < this.#settings.maxLineErrors) this.#errors.push(checked.error);
    this.#record(offset, length, 0, 0, LINE_INVALID);
  }

  /** A request whose custom_id has been hashed. */
  #addRequest(head: Pick<RequestHead, 'model' | 'endpoint'>, line: number, offset: number, length: number): void {
    let model = this.#models.get(head.model);
    if (model === undefined) {
      if (this.#models.size === this.#settings.maxModels) {
        const message = `The file names more than ${this.#settings.maxModels} models. Split it into several files.`;
        this.#refuse(message, 'too_many_models');
        return;
      }
      model = { index: this.#models.size, count: 0 };
      this.#models.set(head.model, model);
    }
    let endpoint = this.#endpoints.get(head.endpoint);
    if (endpoint === undefined) {
      endpoint = { index: this.#endpoints.size, count: 0, firstLine: line + 1 };
      this.#endpoints.set(head.endpoint, endpoint);
    }
    this.#requests += 1;
    model.count += 1;
    endpoint.count += 1;
    this.#ids[this.#inBlock * 2] = this.#hash.high;
    this.#ids[this.#inBlock * 2 + 1] = this.#hash.low;
    this.#record(offset, length, model.index, endpoint.index, 0);
  }

  #record(offset: number, length: number, model: number, endpoint: number, flags: number): void {
    writePlanRecord(this.#plan, this.#inBlock++, {
      offset,
      length: Math.min(length, 0xffff_ffff),
      model,
      endpoint,
      flags,
    });
    if (this.#inBlock === recordsPerBlock) this.#endBlock();
  }

  #endBlock(): void {
    const { buffer: plan } = this.#plan;
    const { buffer: ids } = this.#ids;
    this.#full.plan.push(new Uint8Array(plan, 0, this.#inBlock * PLAN_RECORD_BYTES));
    this.#full.ids.push(new Uint8Array(ids, 0, this.#inBlock * ID_RECORD_BYTES));
    this.#plan = newPlanBlock();
    this.#ids = newIdBlock();
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

function newPlanBlock(): DataView<ArrayBuffer> {
  return new DataView(new ArrayBuffer(recordsPerBlock * PLAN_RECORD_BYTES));
}

function newIdBlock(): Uint32Array<ArrayBuffer> {
  return new Uint32Array((recordsPerBlock * ID_RECORD_BYTES) / Uint32Array.BYTES_PER_ELEMENT);
}

function isBlank(bytes: Uint8Array): boolean {
  // Most lines end this loop at their first byte.
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] as number;
    if (byte !== 0x20 && (byte < 0x09 || byte > 0x0d)) return false;
  }
  return true;
}
