/** Counts the tokens of text as a model does. */
export interface Tokenizer {
  /** The encoding's name, such as `o200k_base`. */
  name: string;
  /** Of all `texts` together. */
  count(texts: readonly string[]): Promise<number>;
}

/** Real tokenizers, where the runtime has room for them; loaded when they are first needed. */
export interface Tokenizers {
  /** Null for a model whose encoding is not known. */
  forModel(model: string): Tokenizer | null;
}
