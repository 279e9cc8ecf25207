import { textOf } from './estimate.ts';

/** Requests that are counted exactly, the bytes of text beyond which one is not, and those of all: tokenizers are slow. */
const COUNTED_REQUESTS = 200;
const COUNTED_BYTES = 64 * 1024;
const COUNTED_BYTES_ALL = 2 * 1024 ** 2;
/** What a chat format adds around each message, and before the answer (OpenAI's cookbook on counting tokens). */
const MESSAGE_TOKENS = 3;
const ANSWER_TOKENS = 3;
const BYTES_PER_TOKEN = 4;

type Body = Readonly<Record<string, unknown>>;

/** Counts the tokens of text as a model does. */
export interface Tokenizer {
  /** The encoding's name, such as `o200k_base`. */
  name: string;
  /** Of all `texts` together. */
  count(texts: readonly string[]): Promise<number>;
}

/**
 * Input tokens of the requests for one target. With a tokenizer the first of them are counted, and the others estimated by
 * the tokens a byte of text had there; without one a token is four bytes.
 */
export class InputCounter {
  private readonly tokenizer: Tokenizer | null;
  private left = COUNTED_REQUESTS;
  private bytes = 0;
  private tokens = 0;

  constructor(tokenizer: Tokenizer | null) {
    this.tokenizer = tokenizer;
  }

  /** One that counts as this one does, and has counted nothing. */
  fresh(): InputCounter {
    return new InputCounter(this.tokenizer);
  }

  /** How it counts: the encoding's name, or `bytes/4`. */
  get method(): string {
    return this.tokenizer?.name ?? 'bytes/4';
  }

  async count(body: Body): Promise<number> {
    const { texts, bytes, givenTokens } = textOf(body);
    if (this.tokenizer !== null && this.left > 0 && bytes <= COUNTED_BYTES && this.bytes < COUNTED_BYTES_ALL) {
      this.left -= 1;
      const counted = await this.tokenizer.count(texts);
      this.bytes += bytes;
      this.tokens += counted;
      return counted + givenTokens + formatTokens(body);
    }
    if (this.tokenizer === null || this.bytes === 0) return Math.ceil(bytes / BYTES_PER_TOKEN) + givenTokens;
    return Math.ceil((bytes * this.tokens) / this.bytes) + givenTokens + formatTokens(body);
  }
}

function formatTokens(body: Body): number {
  return Array.isArray(body.messages) ? body.messages.length * MESSAGE_TOKENS + ANSWER_TOKENS : 0;
}
