import { hash } from 'node:crypto';

const BLOCK_CHARACTERS = 256;

/** What a server keeps of prompts that it has read: blocks, each known by its text and all before it; the last used stay. */
export class PrefixCache {
  readonly #blocks = new Set<string>();

  /** Reads a prompt, of which at most `size` blocks in all are kept; the share of it, 0 to 1, that was there already. */
  read(prompt: string, size: number): number {
    let key = '';
    let found = 0;
    let missed = false;
    for (let end = BLOCK_CHARACTERS; end <= prompt.length; end += BLOCK_CHARACTERS) {
      key = hash('sha256', key + prompt.slice(end - BLOCK_CHARACTERS, end), 'base64');
      missed ||= !this.#blocks.has(key);
      if (!missed) found += BLOCK_CHARACTERS;
      this.#blocks.delete(key);
      this.#blocks.add(key);
    }
    for (const block of this.#blocks) {
      if (this.#blocks.size <= size) break;
      this.#blocks.delete(block);
    }
    return prompt.length === 0 ? 0 : found / prompt.length;
  }
}
