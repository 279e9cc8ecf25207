import { createHash } from 'node:crypto';
import { IdHash } from '../../core/id-hash.ts';
import { RangeFramer } from '../../core/jsonl.ts';
import type { CheckedInput, CheckSettings, InputChecks, LineRecords } from '../../ports/input-checks.ts';
import { PlanBuilder } from './plan-builder.ts';

/** Checks the lines of one file and hashes its bytes, in the thread that calls it. */
export class LineCheck {
  readonly #hash = createHash('sha256');
  readonly #builder: PlanBuilder;
  readonly #framer: RangeFramer;
  #bytes = 0;

  /** `idKey`: 8 random bytes. */
  constructor(settings: CheckSettings, idKey: Uint8Array) {
    const builder = new PlanBuilder(settings, new IdHash(idKey));
    this.#builder = builder;
    this.#framer = new RangeFramer(settings.maxLineBytes, (bytes, from, to, offset, length) =>
      builder.add(bytes, from, to, offset, length),
    );
  }

  /** Takes the next bytes; they are not used after the call. */
  take(bytes: Uint8Array): LineRecords {
    this.#bytes += bytes.length;
    this.#hash.update(bytes);
    if (this.#builder.refusal === null) this.#framer.push(bytes);
    return this.#records(false);
  }

  /** To be called once. */
  end(): CheckedInput {
    this.#framer.end();
    this.#builder.end(this.#bytes);
    return { ...this.#records(true), sha256: this.#hash.digest('hex'), summary: this.#builder.summary() };
  }

  #records(all: boolean): LineRecords {
    return { ...this.#builder.takeBlocks(all), refusal: this.#builder.refusal };
  }
}

/** Checks in the caller's thread. */
export const inlineChecks: InputChecks = {
  open({ settings, idKey }) {
    const check = new LineCheck(settings, idKey);
    return {
      allocate: (bytes) => new Uint8Array(bytes),
      take: async (memory, length) => check.take(memory.subarray(0, length)),
      end: async () => check.end(),
      close: () => undefined,
    };
  },
  close: async () => undefined,
};
