import { Buffer } from 'node:buffer';
import type { ApiError } from '../../core/api-error.ts';
import type { FileWriter } from '../../ports/files.ts';
import type { CheckedInput, InputCheck, LineRecords } from '../../ports/input-checks.ts';
import { giveBack } from './give-back.ts';
import type { IdLog } from './id-log.ts';

/** Large, as each costs messages and a write; but a block of blank lines makes 24 times its size in records. */
const blockBytes = 512 * 1024;
/** Blocks that are being looked at while the next one fills. */
const blocksMax = 4;
/** A file of more is large: it may be worth another thread. */
const smallBytes = 1024 * 1024;

/**
 * The way of an input file's bytes: gathered into blocks, which are checked (perhaps in another thread) while they are
 * written and the next ones come. What the check answers is written in its order.
 */
export class InputFeed {
  readonly #open: (large: boolean) => InputCheck;
  #check: InputCheck | null = null;
  /** The beginning, until it is known whether the file is large. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  readonly #content: FileWriter;
  readonly #plan: FileWriter;
  readonly #ids: IdLog;
  readonly #free: Buffer[] = [];
  #blocks = 0;
  /** Of each block: a small file needs no large ones. */
  #blockBytes = blockBytes;
  #block: Buffer | null = null;
  #filled = 0;
  /** Settles when the records of all blocks so far are written. */
  #recorded: Promise<void> = Promise.resolve();
  /** Settles when all blocks so far are written. */
  #written: Promise<void> = Promise.resolve();
  /** For each block that is in use, the oldest first: settles when it is free again. */
  readonly #used: Promise<void>[] = [];
  #refusal: ApiError | null = null;

  /** `open` is asked once, as soon as it is known whether the file is large. */
  constructor(open: (large: boolean) => InputCheck, to: { content: FileWriter; plan: FileWriter; ids: IdLog }) {
    this.#open = open;
    this.#content = to.content;
    this.#plan = to.plan;
    this.#ids = to.ids;
  }

  /** Why the file is no batch input, as far as is known. */
  get refusal(): ApiError | null {
    return this.#refusal;
  }

  /** Takes the next bytes; they are not used once it resolves. */
  async push(chunk: Uint8Array): Promise<void> {
    if (this.#check !== null) return this.#gather(this.#check, chunk);
    if (this.#earlyBytes + chunk.length > smallBytes) return this.#gather(await this.#begin(true), chunk);
    // Not slice(): a Buffer's is a view of the caller's memory.
    this.#early.push(new Uint8Array(chunk));
    this.#earlyBytes += chunk.length;
  }

  /** Resolves when every record is written. */
  async end(): Promise<CheckedInput> {
    const check = this.#check ?? (await this.#begin(false));
    this.#send(check);
    const checked = await check.end();
    await this.#recorded;
    await this.#record(checked);
    await this.#written;
    return checked;
  }

  /** Gives up; resolves when nothing is being written any more. Safe at any time. */
  async close(): Promise<void> {
    this.#check?.close();
    await Promise.allSettled([this.#recorded, this.#written]);
  }

  async #begin(large: boolean): Promise<InputCheck> {
    const check = this.#open(large);
    this.#check = check;
    const early = this.#early;
    this.#early = [];
    this.#blockBytes = large ? blockBytes : Math.min(blockBytes, Math.max(this.#earlyBytes, 1));
    for (const chunk of early) await this.#gather(check, chunk);
    return check;
  }

  async #gather(check: InputCheck, chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      this.#block ??= await this.#nextBlock(check);
      const take = Math.min(chunk.length - at, this.#blockBytes - this.#filled);
      // Into shared memory, set() goes byte by byte, and this goes as fast as memory does.
      this.#block.fill(chunk.subarray(at, at + take), this.#filled, this.#filled + take);
      this.#filled += take;
      at += take;
      if (this.#filled === this.#blockBytes) this.#send(check);
    }
  }

  async #nextBlock(check: InputCheck): Promise<Buffer> {
    if (this.#free.length === 0 && this.#blocks === blocksMax) await this.#used[0];
    const free = this.#free.pop();
    if (free !== undefined) return free;
    this.#blocks += 1;
    const { buffer, byteOffset, length } = check.allocate(this.#blockBytes);
    return Buffer.from(buffer, byteOffset, length);
  }

  /** Has the block looked at and written. */
  #send(check: InputCheck): void {
    const block = this.#block;
    const length = this.#filled;
    if (block === null || length === 0) return;
    this.#block = null;
    this.#filled = 0;
    this.#recorded = this.#recordAfter(this.#recorded, check.take(block, length));
    this.#written = this.#writeAfter(this.#written, block.subarray(0, length));
    const used = this.#freeAfter([this.#recorded, this.#written], block);
    this.#used.push(used);
    // Who waits for it sees its failure; until then it must not count as unhandled.
    used.catch(() => undefined);
  }

  async #recordAfter(before: Promise<void>, answer: Promise<LineRecords>): Promise<void> {
    const records = await answer;
    await before;
    await this.#record(records);
  }

  async #writeAfter(before: Promise<void>, bytes: Uint8Array): Promise<void> {
    await before;
    await this.#content.write(bytes);
  }

  async #freeAfter(uses: Promise<void>[], block: Buffer): Promise<void> {
    await Promise.all(uses);
    this.#free.push(block);
    void this.#used.shift();
  }

  async #record({ plan, ids, refusal }: LineRecords): Promise<void> {
    this.#refusal = refusal;
    if (refusal !== null) return;
    for (const block of plan) {
      await this.#plan.write(block);
      giveBack(block);
    }
    await this.#ids.add(ids);
  }
}
