import { textOf } from '../../src/core/validate-input.ts';
import type { BatchResult, Success } from '../contract.ts';

/** A success whose answer is there in UTF-8. Its text is made when somebody asks for it; a spread leaves it behind. */
export class AnswerInBytes implements Success {
  readonly ok = true;
  readonly status: number;
  readonly requestId: string | null;
  readonly bytes: Uint8Array;
  readonly usage: Success['usage'];
  readonly rawUsage: object | null;
  readonly servedModel: string | null;
  readonly serviceTier: string | null;
  readonly finishReason: string | null;
  readonly warnings: string[];
  #text: string | null = null;

  constructor(bytes: Uint8Array, said: Omit<Success, 'ok' | 'body' | 'bytes'>) {
    this.status = said.status;
    this.requestId = said.requestId;
    this.bytes = bytes;
    this.usage = said.usage;
    this.rawUsage = said.rawUsage;
    this.servedModel = said.servedModel;
    this.serviceTier = said.serviceTier ?? null;
    this.finishReason = said.finishReason;
    this.warnings = said.warnings;
  }

  get body(): string {
    this.#text ??= textOf(this.bytes);
    return this.#text;
  }
}

/** A line of results whose text is made when somebody asks for it; a spread leaves it behind. */
export class LineInBytes implements BatchResult {
  readonly key: string | null;
  readonly result: Success;
  readonly #bytes: Uint8Array;

  /** `bytes` are the line's own from now on. */
  constructor(key: string | null, result: Success, bytes: Uint8Array) {
    this.key = key;
    this.result = result;
    this.#bytes = bytes;
  }

  get raw(): string {
    return textOf(this.#bytes);
  }

  get rawLength(): number {
    return this.#bytes.length;
  }
}
