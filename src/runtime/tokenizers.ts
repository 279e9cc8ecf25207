import type { Tokenizer } from '../core/estimate-input.ts';
import { AskedThread } from '../files/asked-thread.ts';
import type { Tokenizers } from '../ports/tokenizers.ts';

/** OpenAI's encodings by model name, the first that fits (gpt-tokenizer's own table, by family). */
const ENCODINGS: readonly (readonly [pattern: RegExp, encoding: 'o200k_base' | 'cl100k_base'])[] = [
  [/^(gpt-(4o|4\.1|4\.5|5|6)|chatgpt-4o|o[134]\b|gpt-audio|gpt-realtime)/, 'o200k_base'],
  [/^(gpt-4|gpt-3\.5|gpt-35|text-embedding-)/, 'cl100k_base'],
];

const YOUNG_MEGABYTES = 4;

/** One for the process: what it has read is many times what it is asked. */
const thread = new AskedThread<{ encoding: string; texts: readonly string[] }, number>(
  new URL('./tokenizer-thread.js', import.meta.url),
  { name: 'the thread that counts tokens', youngMegabytes: YOUNG_MEGABYTES },
);

/**
 * Tokenizers for OpenAI's models, in a thread of their own that ends when they are not used: to read one takes tens of
 * megabytes and a third of a second, and text that merges badly takes seconds to count, in which no request could be answered.
 */
export function nodeTokenizers(): Tokenizers {
  return {
    forModel(model): Tokenizer | null {
      const name = ENCODINGS.find(([pattern]) => pattern.test(model.toLowerCase()))?.[1];
      if (name === undefined) return null;
      return { name, count: (texts) => thread.ask({ encoding: name, texts }) };
    },
  };
}
