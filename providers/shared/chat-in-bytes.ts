import { Buffer } from 'node:buffer';
import { hasSeparator } from '../../src/core/answer-scan.ts';
import type { JsonCursor } from '../../src/core/json-cursor.ts';
import { Items, Members, type Picked, Span } from '../../src/core/json-pick.ts';
import { jsonText } from '../../src/core/result-text.ts';

/** Answers in more blocks than this are left. */
const BLOCKS_MAX = 8;

/** A block whose `text` counts, whatever stands beside it. */
export class TextBlock implements Picked {
  readonly text = new Span();
  private readonly members: Members;

  constructor(others: Readonly<Record<string, Picked>> = {}) {
    this.members = new Members({ text: this.text, ...others });
  }

  clear(): void {
    this.members.clear();
  }

  read(json: JsonCursor, depth: number): boolean {
    return this.members.read(json, depth) && this.text.isString && this.isText();
  }

  protected isText(): boolean {
    return true;
  }
}

/** Blocks of an answer, of which all must be text. */
export function textBlocks(create: () => TextBlock = () => new TextBlock()): Items<TextBlock> {
  return new Items(BLOCKS_MAX, create);
}

export interface PickedChat {
  /** What stands before `id` in the answer's id. */
  idPrefix: string;
  /** A string of the text just picked, or what stands between the quotes of one. */
  id: Span | string;
  /** Unix seconds. */
  created: number;
  model: string;
  blocks: Items<TextBlock>;
  finishReason: string;
  /** JSON; null where the answer has none. */
  usage: string | null;
}

/**
 * The chat completion that says what was just picked, in UTF-8: strings that are JSON already are neither decoded nor written
 * anew. Null where one holds a character that must be escaped in a line (core/jsonl.ts).
 */
export function chatInBytes(json: JsonCursor, chat: PickedChat): Uint8Array | null {
  const { id, blocks, finishReason, usage } = chat;
  const named = `"object":"chat.completion","created":${chat.created},"model":${jsonText(chat.model)}`;
  const pieces: (string | Span)[] = [`{"id":"${chat.idPrefix}`, id];
  pieces.push(`",${named},"choices":[{"index":0,"message":{"role":"assistant","content":"`);
  for (let index = 0; index < blocks.count; index++) pieces.push(blocks.at(index).text);
  const used = usage === null ? '' : `,"usage":${usage}`;
  pieces.push(`","refusal":null},"logprobs":null,"finish_reason":"${finishReason}"}]${used}}`);
  return inBytes(json, pieces);
}

/** Texts, and strings of the text just picked, which stand for what is between their quotes. */
function inBytes(json: JsonCursor, pieces: readonly (string | Span)[]): Uint8Array | null {
  let length = 0;
  for (const piece of pieces) {
    length += typeof piece === 'string' ? Buffer.byteLength(piece) : piece.to - piece.from - 2;
  }
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece === 'string') at += bytes.write(piece, at);
    else at += json.run.bytes.copy(bytes, at, piece.from + 1, piece.to - 1);
  }
  return json.utf8 && hasSeparator(bytes) ? null : bytes;
}
