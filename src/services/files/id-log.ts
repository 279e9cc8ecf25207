import { ID_RECORD_BYTES } from '../../core/repeats.ts';
import type { FileStore, FileWriter } from '../../ports/files.ts';
import { giveBack } from './give-back.ts';

/** Lines whose hashes are held in memory, in 1 MB; those of a larger file go to the file store. */
const heldLines = 128 * 1024;
const chunkBytes = 256 * 1024;

/** The hashes of a file's ids, one record a line, to be gone over several times. */
export class IdLog {
  readonly #files: FileStore;
  readonly #key: string;
  readonly #heldLines: number;
  #blocks: Uint8Array[] = [];
  #bytes = 0;
  #writer: FileWriter | null = null;

  /** `key` is that of an object for the time being. */
  constructor(files: FileStore, key: string, held = heldLines) {
    this.#files = files;
    this.#key = key;
    this.#heldLines = held;
  }

  get lines(): number {
    return this.#bytes / ID_RECORD_BYTES;
  }

  /** The log owns the blocks from then on. */
  async add(blocks: readonly Uint8Array[]): Promise<void> {
    for (const block of blocks) {
      this.#bytes += block.length;
      if (this.#writer === null) this.#blocks.push(block);
      else await this.#store(this.#writer, block);
    }
    if (this.#writer !== null || this.lines <= this.#heldLines) return;
    this.#writer = await this.#files.create(this.#key);
    for (const block of this.#blocks) await this.#store(this.#writer, block);
    this.#blocks = [];
  }

  async #store(writer: FileWriter, block: Uint8Array): Promise<void> {
    await writer.write(block);
    giveBack(block);
  }

  /** To be called once, after the last block. */
  async end(): Promise<void> {
    await this.#writer?.close();
  }

  /** All records in the order of the lines, in pieces of whole records, which are gone when the next is asked for. */
  async *read(): AsyncGenerator<Uint8Array> {
    yield* this.#blocks;
    if (this.#writer === null) return;
    for (let offset = 0; offset < this.#bytes; offset += chunkBytes) {
      const records = await this.#files.readRange(this.#key, { offset, length: chunkBytes });
      yield records;
      giveBack(records);
    }
  }

  /** Removes what is in the file store. Safe at any time. */
  async discard(): Promise<void> {
    this.#blocks = [];
    await this.#writer?.abort();
    if (this.#writer !== null) await this.#files.delete(this.#key);
  }
}
