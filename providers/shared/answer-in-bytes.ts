import { bytesOf, type Written } from '../../src/core/byte-writer.ts';
import { textOf } from '../../src/core/validate-input.ts';
import type { BatchResult, Success } from '../contract.ts';

/** What is said of an answer beside the answer itself. */
export type Said = Omit<Success, 'ok' | 'body' | 'bytes' | 'written'>;

/**
 * A success whose answer is there in UTF-8, or in pieces of it. Its text, and its bytes, are made when somebody asks for
 * them; a spread leaves both behind.
 */
export class AnswerInBytes implements Success {
  readonly ok = true;
  readonly status: number;
  readonly requestId: string | null;
  readonly usage: Success['usage'];
  readonly rawUsage: object | null;
  readonly servedModel: string | null;
  readonly serviceTier: string | null;
  readonly finishReason: string | null;
  readonly warnings: string[];
  #answer: Uint8Array | Written;
  #text: string | null = null;

  constructor(answer: Uint8Array | Written, said: Said) {
    this.#answer = answer;
    this.status = said.status;
    this.requestId = said.requestId;
    this.usage = said.usage;
    this.rawUsage = said.rawUsage;
    this.servedModel = said.servedModel;
    this.serviceTier = said.serviceTier ?? null;
    this.finishReason = said.finishReason;
    this.warnings = said.warnings;
  }

  get written(): Written | null {
    return this.#answer instanceof Uint8Array ? null : this.#answer;
  }

  get bytes(): Uint8Array {
    if (!(this.#answer instanceof Uint8Array)) this.#answer = bytesOf(this.#answer);
    return this.#answer;
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
