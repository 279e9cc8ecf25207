/**
 * Which member of a pool has lately read a prompt's beginning, so that its prefix cache serves the next one. A prompt is
 * cut into blocks, and a block is known by its own text and all before it, as vLLM and SGLang key theirs.
 */
const BLOCK_CHARACTERS = 256;
const BLOCKS_MAX = 16;
/** Beyond this the oldest blocks are forgotten: servers forget too. */
const KNOWN_MAX = 50_000;

/** As much of a prompt's beginning as is looked at. */
export const PROMPT_CHARACTERS = BLOCK_CHARACTERS * BLOCKS_MAX;

/** Keys of the whole blocks of a prompt's beginning; each depends on all text before its end. */
export function prefixKeys(prompt: string): number[] {
  const keys: number[] = [];
  const end = Math.min(prompt.length, PROMPT_CHARACTERS);
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (let at = 0; at < end; at++) {
    const code = prompt.charCodeAt(at);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b);
    // 52 bits of two hashes: a number as exact as a key needs to be.
    if ((at + 1) % BLOCK_CHARACTERS === 0) keys.push((low >>> 0) * 0x100000 + ((high >>> 0) & 0xfffff));
  }
  return keys;
}

export class PrefixMap {
  private readonly members = new Map<number, number>();

  /** The member that read the longest known beginning; -1 when none did. */
  find(keys: readonly number[]): number {
    let found = -1;
    for (const key of keys) {
      const member = this.members.get(key);
      if (member === undefined) break;
      found = member;
    }
    return found;
  }

  note(keys: readonly number[], member: number): void {
    for (const key of keys) {
      this.members.delete(key);
      this.members.set(key, member);
    }
    for (const key of this.members.keys()) {
      if (this.members.size <= KNOWN_MAX) return;
      this.members.delete(key);
    }
  }
}

/** The text that a request's body begins its prompt with, at least `most` characters of it; empty where it has none. */
export function promptStart(body: Readonly<Record<string, unknown>>, most = PROMPT_CHARACTERS): string {
  const parts: string[] = [];
  let length = 0;
  const add = (text: unknown): void => {
    if (typeof text !== 'string' || length >= most) return;
    parts.push(text);
    length += text.length;
  };
  add(body.instructions);
  add(body.prompt);
  add(body.input);
  for (const list of [body.messages, body.input]) {
    if (!Array.isArray(list)) continue;
    for (const message of list) {
      if (length >= most) break;
      const content: unknown = (message as { content?: unknown } | null)?.content;
      add(typeof content === 'string' ? content : content && JSON.stringify(content));
    }
  }
  return parts.join('\n');
}
