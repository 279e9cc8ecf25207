import type { Tokenizer, Tokenizers } from '../ports/tokenizers.ts';

/** OpenAI's encodings by model name, the first that fits (gpt-tokenizer's own table, by family). */
const ENCODINGS: readonly (readonly [pattern: RegExp, encoding: 'o200k_base' | 'cl100k_base'])[] = [
  [/^(gpt-(4o|4\.1|4\.5|5|6)|chatgpt-4o|o[134]\b|gpt-audio|gpt-realtime)/, 'o200k_base'],
  [/^(gpt-4|gpt-3\.5|gpt-35|text-embedding-)/, 'cl100k_base'],
];

/** Special tokens in a request are text like any other. */
const PLAIN = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };

/** Tokenizers for OpenAI's models; each takes some megabytes of memory once it is used. */
export function nodeTokenizers(): Tokenizers {
  return {
    async forModel(model): Promise<Tokenizer | null> {
      const name = ENCODINGS.find(([pattern]) => pattern.test(model.toLowerCase()))?.[1];
      if (name === undefined) return null;
      const { countTokens } =
        name === 'o200k_base'
          ? await import('gpt-tokenizer/encoding/o200k_base')
          : await import('gpt-tokenizer/encoding/cl100k_base');
      return { name, count: (text) => countTokens(text, PLAIN) };
    },
  };
}
