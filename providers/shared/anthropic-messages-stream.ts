import { tryParseExact } from '../../src/core/exact-json.ts';
import { type Fields, fieldsOf, isFields } from '../../src/core/fields.ts';
import { ProviderError, type Result } from '../contract.ts';
import type { AnswerContext } from './answer.ts';
import { failureOfError } from './anthropic-messages-errors.ts';
import { structuredToolName } from './anthropic-messages-tools.ts';
import { ChatChunks, type ChatMapper, type ChatPiece } from './chat-chunks.ts';
import { brokenStream } from './stream-answer.ts';

export interface MessageStreamOptions {
  context: AnswerContext;
  /** The request's native body. */
  body: string;
  /** What a whole message means. */
  read(message: Fields): Result;
}

/** A Messages body that asks for its answer in events. A converted body is an object without `stream`. */
export function streamed(body: string): string {
  return `${body.slice(0, -1)},"stream":true}`;
}

interface OpenBlock {
  block: Fields;
  /** The input of a tool as far as it came: JSON in pieces. */
  json: string;
  /** The place of its call among the answer's; null for blocks that are none. */
  call: number | null;
}

/**
 * The events of a streamed message (@anthropic-ai/sdk, RawMessageStreamEvent) as chunks. The message is put together
 * beside them, and read as if it had come whole when it ends: what it says last is said by the same rules.
 */
export class MessageStream implements ChatMapper {
  isOver = false;
  private readonly options: MessageStreamOptions;
  private readonly blocks = new Map<unknown, OpenBlock>();
  private message: Fields = {};
  private chunks: ChatChunks | null = null;
  private calls = 0;
  /** Text beside a structured answer is no part of it, which only its end tells. */
  private readonly holdsText: boolean;

  constructor(options: MessageStreamOptions) {
    this.options = options;
    this.holdsText = options.body.includes(`"${structuredToolName}"`);
  }

  *push(event: Fields): Generator<ChatPiece> {
    switch (event.type) {
      case 'message_start':
        this.message = { ...fieldsOf(event.message) };
        this.chunks = new ChatChunks(this.options.read({ ...this.message, content: [] }));
        return;
      case 'content_block_start':
        yield* this.open(event.index, fieldsOf(event.content_block));
        return;
      case 'content_block_delta':
        yield* this.add(event.index, fieldsOf(event.delta));
        return;
      case 'content_block_stop':
        yield* this.close(this.blocks.get(event.index));
        return;
      case 'message_delta':
        Object.assign(this.message, stated(event.delta));
        if (isFields(event.usage)) this.message.usage = { ...fieldsOf(this.message.usage), ...stated(event.usage) };
        return;
      case 'message_stop':
        this.isOver = true;
        return;
      case 'error':
        throw new ProviderError(failureOfError(event, null, {}, this.options.context));
      // `ping`, and events of tomorrow.
    }
  }

  *end(): Generator<ChatPiece> {
    const { chunks } = this;
    const isWhole = this.isOver || typeof this.message.stop_reason === 'string';
    if (chunks === null || !isWhole) throw brokenStream(this.options.context);
    // An answer that reached its limit may leave a block open.
    for (const block of this.blocks.values()) yield* this.close(block);
    const content = [...this.blocks.values()].map(({ block }) => block);
    yield* chunks.end(this.options.read({ ...this.message, content }));
  }

  private *open(index: unknown, block: Fields): Generator<ChatPiece> {
    const isCall = block.type === 'tool_use' && block.name !== structuredToolName;
    const opened: OpenBlock = { block: { ...block }, json: '', call: isCall ? this.calls++ : null };
    this.blocks.set(index, opened);
    if (opened.call !== null) {
      const called = { name: String(block.name ?? ''), arguments: '' };
      yield* this.say({
        tool_calls: [{ index: opened.call, id: String(block.id ?? ''), type: 'function', function: called }],
      });
    }
    if (block.type === 'text') yield* this.sayText(block.text);
    if (block.type === 'thinking') yield* this.sayThought(block.thinking);
  }

  private *add(index: unknown, delta: Fields): Generator<ChatPiece> {
    const opened = this.blocks.get(index);
    if (opened === undefined) return;
    const { block } = opened;
    switch (delta.type) {
      case 'text_delta':
        block.text = String(block.text ?? '') + String(delta.text ?? '');
        yield* this.sayText(delta.text);
        return;
      case 'thinking_delta':
        block.thinking = String(block.thinking ?? '') + String(delta.thinking ?? '');
        yield* this.sayThought(delta.thinking);
        return;
      case 'input_json_delta':
        opened.json += String(delta.partial_json ?? '');
        yield* this.sayInput(opened, String(delta.partial_json ?? ''));
      // Signatures and citations have no place in a chat completion.
    }
  }

  private *close(opened: OpenBlock | undefined): Generator<ChatPiece> {
    if (opened?.block.type !== 'tool_use') return;
    if (opened.json === '') {
      opened.json = JSON.stringify(opened.block.input ?? {});
      yield* this.sayInput(opened, opened.json);
    }
    opened.block.input = tryParseExact(opened.json) ?? opened.block.input;
  }

  private *sayText(text: unknown): Generator<ChatPiece> {
    if (!this.holdsText) yield* this.say({ content: text });
  }

  private *sayThought(text: unknown): Generator<ChatPiece> {
    yield* this.say({ reasoning_content: text });
  }

  private *sayInput({ block, call }: OpenBlock, text: string): Generator<ChatPiece> {
    if (text === '') return;
    if (call !== null) yield* this.say({ tool_calls: [{ index: call, function: { arguments: text } }] });
    else if (block.name === structuredToolName) yield* this.say({ content: text });
  }

  private *say(delta: Fields): Generator<ChatPiece> {
    const isEmpty = Object.values(delta).every((value) => value === '' || value === undefined || value === null);
    if (this.chunks !== null && !isEmpty) yield this.chunks.delta(delta);
  }
}

/** The members of an object that say something: the end of a stream leaves out what its beginning said. */
function stated(value: unknown): Fields {
  return Object.fromEntries(Object.entries(fieldsOf(value)).filter(([, each]) => each !== null));
}
