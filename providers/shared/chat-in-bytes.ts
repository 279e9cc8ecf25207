import { Buffer } from 'node:buffer';
import { hasSeparator } from '../../src/core/answer-scan.ts';
import { ByteWriter } from '../../src/core/byte-writer.ts';
import type { JsonCursor } from '../../src/core/json-cursor.ts';
import { Items, Members, type Picked, Span } from '../../src/core/json-pick.ts';
import { jsonText } from '../../src/core/result-text.ts';
import type { Success } from '../contract.ts';
import { AnswerInBytes } from './answer-in-bytes.ts';

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

const writer = new ByteWriter();
const BEGIN = Buffer.from('{"id":"');
/** What stands between the id and the text of an answer: the same of all of one model that came at one time. */
let last = { created: 0, model: '', idPrefix: '', begin: BEGIN, middle: Buffer.alloc(0) };

/** What a provider says of an answer beside its chat completion. */
type Said = Pick<Success, 'requestId' | 'usage' | 'rawUsage' | 'serviceTier' | 'warnings'>;

/**
 * The success whose chat completion says what was just picked, in UTF-8: strings that are JSON already are neither decoded
 * nor written anew. Null where one holds a character that must be escaped in a line (core/jsonl.ts).
 */
export function chatAnswer(json: JsonCursor, chat: PickedChat, said: Said): AnswerInBytes | null {
  const bytes = chatInBytes(json, chat);
  const { model: servedModel, finishReason } = chat;
  return bytes && new AnswerInBytes(bytes, { ...said, status: 200, servedModel, finishReason });
}

function chatInBytes(json: JsonCursor, chat: PickedChat): Uint8Array | null {
  const { idPrefix, id, created, model, blocks, finishReason, usage } = chat;
  if (last.created !== created || last.model !== model || last.idPrefix !== idPrefix) {
    const named = `","object":"chat.completion","created":${created},"model":${jsonText(model)}`;
    const middle = Buffer.from(`${named},"choices":[{"index":0,"message":{"role":"assistant","content":"`);
    last = { created, model, idPrefix, begin: Buffer.from(`{"id":"${idPrefix}`), middle };
  }
  const { begin, middle } = last;
  const used = usage === null ? '' : `,"usage":${usage}`;
  const tail = `","refusal":null},"logprobs":null,"finish_reason":"${finishReason}"}]${used}}`;
  let length = begin.length + middle.length;
  if (typeof id !== 'string') length += id.to - id.from;
  for (let index = 0; index < blocks.count; index++) length += blocks.at(index).text.to - blocks.at(index).text.from;
  writer.begin(tail.length + (typeof id === 'string' ? id.length : 0), length);
  const source = json.run.bytes;
  writer.bytes(begin, 0, begin.length);
  if (typeof id === 'string') writer.text(id);
  else writer.bytes(source, id.from + 1, id.to - 1);
  writer.bytes(middle, 0, middle.length);
  for (let index = 0; index < blocks.count; index++) {
    const { from, to } = blocks.at(index).text;
    writer.bytes(source, from + 1, to - 1);
  }
  writer.text(tail);
  const bytes = writer.end();
  return json.utf8 && hasSeparator(bytes) ? null : bytes;
}
