import { Buffer } from 'node:buffer';
import { hasSeparator } from '../../src/core/answer-scan.ts';
import { type ByteWriter, UNIT_BYTES, type Written } from '../../src/core/byte-writer.ts';
import type { JsonCursor } from '../../src/core/json-cursor.ts';
import { Items, Members, type Picked, Span } from '../../src/core/json-pick.ts';
import { jsonText } from '../../src/core/jsonl.ts';
import type { Usage } from '../../src/core/usage.ts';
import { AnswerInBytes, type Said } from './answer-in-bytes.ts';
import { COMPLETION_USAGE_BYTES, writeCompletionUsage } from './anthropic-messages-usage.ts';

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
  /** As JSON that needs no escapes in a line, where it says more than the counts; null where the answer has none. */
  usage: Usage | string | null;
}

/** What stands around the text of an answer. */
interface Around {
  created: number;
  model: string;
  idPrefix: string;
  /** Before the id, and between it and the text. */
  begin: Uint8Array;
  middle: Uint8Array;
}

/** What was around the last answer: the same is around all of one model that came at one time. */
let last: Around = aroundOf({ created: 0, model: '', idPrefix: '' });

function aroundOf({ created, model, idPrefix }: Pick<PickedChat, 'created' | 'model' | 'idPrefix'>): Around {
  const named = `","object":"chat.completion","created":${created},"model":${jsonText(model)}`;
  const middle = Buffer.from(`${named},"choices":[{"index":0,"message":{"role":"assistant","content":"`);
  return { created, model, idPrefix, begin: Buffer.from(`{"id":"${idPrefix}`), middle };
}

/** A chat completion whose id and text stand in the bytes that it was picked from. */
class ChatInPieces implements Written {
  readonly bytesMax: number;
  readonly #around: Around;
  readonly #source: Buffer;
  readonly #id: string | Place;
  readonly #text: Place;
  /** The text of further blocks. */
  readonly #more: readonly Place[] | null;
  readonly #finishReason: string;
  readonly #usage: PickedChat['usage'];

  constructor(source: Buffer, around: Around, { id, blocks, finishReason, usage }: PickedChat) {
    this.#source = source;
    this.#around = around;
    this.#id = typeof id === 'string' ? id : placeIn(id);
    this.#text = placeIn(blocks.at(0).text);
    this.#more = blocks.count === 1 ? null : placesBehindFirst(blocks);
    this.#finishReason = finishReason;
    this.#usage = usage;
    const texts = (typeof id === 'string' ? id.length : 0) + (typeof usage === 'string' ? usage.length : 0);
    let most = around.begin.length + around.middle.length + texts * UNIT_BYTES + TAIL_BYTES;
    if (typeof id !== 'string') most += id.to - id.from;
    for (let index = 0; index < blocks.count; index++) most += blocks.at(index).text.to - blocks.at(index).text.from;
    this.bytesMax = most;
  }

  writeTo(writer: ByteWriter): void {
    const source = this.#source;
    writer.all(this.#around.begin);
    if (typeof this.#id === 'string') writer.text(this.#id);
    else writer.bytes(source, this.#id.from, this.#id.to);
    writer.all(this.#around.middle);
    writer.bytes(source, this.#text.from, this.#text.to);
    if (this.#more !== null) for (const { from, to } of this.#more) writer.bytes(source, from, to);
    writer.all(END_OF_MESSAGE);
    writer.string(this.#finishReason);
    writer.all(END_OF_CHOICES);
    if (this.#usage !== null) {
      writer.all(USAGE);
      if (typeof this.#usage === 'string') writer.text(this.#usage);
      else writeCompletionUsage(writer, this.#usage);
    }
    writer.all(END);
  }

  /** Whether a character stands in it that must be escaped in a line. */
  hasSeparator(): boolean {
    const places = [this.#text, ...(this.#more ?? []), ...(typeof this.#id === 'string' ? [] : [this.#id])];
    return places.some(({ from, to }) => hasSeparator(this.#source.subarray(from, to)));
  }
}

/** Where bytes begin and end. */
interface Place {
  from: number;
  to: number;
}

/** Where a string stands, without its quotes. */
function placeIn({ from, to }: Span): Place {
  return { from: from + 1, to: to - 1 };
}

function placesBehindFirst(blocks: Items<TextBlock>): Place[] {
  return Array.from({ length: blocks.count - 1 }, (_, index) => placeIn(blocks.at(index + 1).text));
}

const END_OF_MESSAGE = Buffer.from('","refusal":null},"logprobs":null,"finish_reason":');
const END_OF_CHOICES = Buffer.from('}]');
const USAGE = Buffer.from(',"usage":');
const END = Buffer.from('}');
/** More than all of these are, with a finish reason and a usage that is counts. */
const TAIL_BYTES = 256 + COMPLETION_USAGE_BYTES;

/**
 * The success whose chat completion says what was just picked, in UTF-8: strings that are JSON already are neither decoded
 * nor written anew, nor copied before they stand in their line. Null where one holds a character that must be escaped in a
 * line (core/jsonl.ts). The bytes that were picked from must not change any more.
 */
export function chatAnswer(json: JsonCursor, chat: PickedChat, said: Said): AnswerInBytes | null {
  const { created, model, idPrefix } = chat;
  if (last.created !== created || last.model !== model || last.idPrefix !== idPrefix) last = aroundOf(chat);
  const pieces = new ChatInPieces(json.run.bytes, last, chat);
  return json.utf8 && pieces.hasSeparator() ? null : new AnswerInBytes(pieces, said);
}
