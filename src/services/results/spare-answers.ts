import { Buffer } from 'node:buffer';
import { RECORD_SUCCEEDED } from '../../core/part.ts';
import { detailsText, parseDetails } from '../../core/result-text.ts';
import { usageFromOpenAI } from '../../core/usage.ts';
import type { Deps } from '../../ports/deps.ts';
import type { ResultLine } from '../../protocol/result-line.ts';
import { type LocatedRecords, PartReader } from '../batches/part-reader.ts';
import type { LineResult } from './line-result.ts';

/** What is to be told of a line that ends with an answer which was not taken at first. */
export interface SpareTelling {
  attempts: number;
  costNano: number | null;
  /** Why no other answer came. */
  warning: string;
}

/**
 * Answers of provider batches that were paid for and not taken. Each is kept as the result that it would have been without
 * another try: what is left if that comes to nothing.
 */
export class SpareAnswers {
  readonly #deps: Pick<Deps, 'store' | 'files'>;
  readonly #range: { batchId: string; firstLine: number; lastLine: number };
  readonly #reader: PartReader;
  #located: Promise<LocatedRecords> | null = null;

  /** Of the 0-based lines of a batch between two, inclusive; nothing is read before it is asked for. */
  constructor(deps: Pick<Deps, 'store' | 'files'>, range: { batchId: string; firstLine: number; lastLine: number }) {
    this.#deps = deps;
    this.#range = range;
    this.#reader = new PartReader(deps.files);
  }

  /** The result of a 0-based line by the last of its answers that were not taken; null when none can be read. */
  async resultOf(line: number, { attempts, costNano, warning }: SpareTelling): Promise<LineResult | null> {
    this.#located ??= this.#locate();
    const found = (await this.#located).get(line);
    if (found === undefined) return null;
    await this.#reader.hold(found);
    if (!this.#reader.isWhole(found)) return null;
    const { length, strictLength, flags } = found.entry;
    const bytes = Buffer.from(await this.#reader.slice(found, 0, length));
    const details = parseDetails(bytes.toString('utf8', strictLength));
    const warnings = [...details.warnings, warning];
    const told = detailsText({ ...details, attempts, cost_nano_usd: costNano, warnings });
    const succeeded = (flags & RECORD_SUCCEEDED) !== 0;
    return {
      line,
      succeeded,
      attempts,
      record: Buffer.concat([bytes.subarray(0, strictLength), Buffer.from(`${told}\n`)]),
      strictBytes: strictLength,
      usage: succeeded ? usageOf(`${bytes.toString('utf8', 0, strictLength)}}`) : null,
    };
  }

  #locate(): Promise<LocatedRecords> {
    const { batchId, firstLine, lastLine } = this.#range;
    const parts = this.#deps.store.shards.spares.bind(this.#deps.store.shards);
    return this.#reader.locate({ parts }, batchId, firstLine, lastLine);
  }
}

/** What an answer says that it used, in OpenAI's shape. */
function usageOf(text: string): LineResult['usage'] {
  const { response } = JSON.parse(text) as ResultLine;
  return usageFromOpenAI(response?.body).usage;
}
