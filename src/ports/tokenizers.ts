import type { Tokenizer } from '../core/estimate-input.ts';

/** Real tokenizers, where the runtime has room for them; loaded when they are first needed. */
export interface Tokenizers {
  /** Null for a model whose encoding is not known. */
  forModel(model: string): Tokenizer | null;
}
