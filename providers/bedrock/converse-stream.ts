import { tryParseExact } from '../../src/core/exact-json.ts';
import { type Fields, fieldsOf, isFields } from '../../src/core/fields.ts';
import type { Result } from '../contract.ts';
import type { AnswerContext } from '../shared/answer.ts';
import { ChatChunks, type ChatMapper, type ChatPiece } from '../shared/chat-chunks.ts';
import { brokenStream } from '../shared/stream-answer.ts';

interface Tool {
  toolUseId: unknown;
  name: unknown;
  json: string;
  call: number;
}

/** A block of the message as far as it came; it is of one sort. */
interface Block {
  text?: string;
  thought?: string;
  tool?: Tool;
}

/**
 * The events of ConverseStream (service model of bedrock-runtime, ConverseStreamOutput), each under its type, as chunks. The
 * answer that Converse would have given is put together beside them, and read when it ends.
 */
export class ConverseStream implements ChatMapper {
  isOver = false;
  private readonly context: AnswerContext;
  private readonly read: (output: Fields) => Result;
  private readonly chunks: ChatChunks;
  private readonly blocks = new Map<unknown, Block>();
  private calls = 0;
  /** `stopReason` and `usage`. */
  private ending: Fields = {};

  /** `read`: what an answer of Converse means. */
  constructor(context: AnswerContext, read: (output: Fields) => Result) {
    this.context = context;
    this.read = read;
    this.chunks = new ChatChunks(read({ output: { message: { content: [] } }, stopReason: 'endingturn' }));
  }

  *push(event: Fields): Generator<ChatPiece> {
    const { contentBlockStart: start, contentBlockDelta: delta, contentBlockStop: stop, messageStop, metadata } = event;
    if (isFields(start)) yield* this.open(start);
    if (isFields(delta)) yield* this.add(delta);
    if (isFields(stop)) yield* this.close(this.blocks.get(stop.contentBlockIndex));
    if (isFields(messageStop)) this.ending = { ...this.ending, stopReason: messageStop.stopReason };
    // The usage comes last.
    if (isFields(metadata)) {
      this.ending = { ...this.ending, ...(metadata.usage !== undefined && { usage: metadata.usage }) };
      this.isOver = this.isWhole;
    }
  }

  *end(): Generator<ChatPiece> {
    if (!this.isWhole) throw brokenStream(this.context);
    for (const block of this.blocks.values()) yield* this.close(block);
    const content = [...this.blocks.values()].map(toContent);
    yield* this.chunks.end(this.read({ output: { message: { role: 'assistant', content } }, ...this.ending }));
  }

  private get isWhole(): boolean {
    return typeof this.ending.stopReason === 'string';
  }

  private *open({ contentBlockIndex: index, start }: Fields): Generator<ChatPiece> {
    const { toolUse } = fieldsOf(start);
    if (!isFields(toolUse)) return;
    const { toolUseId, name } = toolUse;
    const tool = { toolUseId, name, json: '', call: this.calls++ };
    this.blocks.set(index, { tool });
    const called = { id: toolUseId, type: 'function', function: { name, arguments: '' } };
    yield this.chunks.delta({ tool_calls: [{ index: tool.call, ...called }] });
  }

  private *add({ contentBlockIndex: index, delta }: Fields): Generator<ChatPiece> {
    const block = this.blocks.get(index) ?? {};
    this.blocks.set(index, block);
    const { text, toolUse, reasoningContent } = fieldsOf(delta);
    if (typeof text === 'string') {
      block.text = (block.text ?? '') + text;
      if (text !== '') yield this.chunks.delta({ content: text });
    }
    const { input } = fieldsOf(toolUse);
    if (typeof input === 'string' && block.tool !== undefined) {
      block.tool.json += input;
      yield* this.input(block.tool, input);
    }
    // Signatures and what is redacted are of no use outside the model.
    const { text: thought } = fieldsOf(reasoningContent);
    if (typeof thought !== 'string') return;
    block.thought = (block.thought ?? '') + thought;
    if (thought !== '') yield this.chunks.delta({ reasoning_content: thought });
  }

  /** A tool without input brings no JSON. */
  private *close(block: Block | undefined): Generator<ChatPiece> {
    if (block?.tool === undefined || block.tool.json !== '') return;
    block.tool.json = '{}';
    yield* this.input(block.tool, '{}');
  }

  private *input({ call }: Tool, text: string): Generator<ChatPiece> {
    if (text !== '') yield this.chunks.delta({ tool_calls: [{ index: call, function: { arguments: text } }] });
  }
}

function toContent({ text, thought, tool }: Block): Fields {
  if (tool !== undefined) {
    const { toolUseId, name, json } = tool;
    return { toolUse: { toolUseId, name, input: tryParseExact(json) ?? {} } };
  }
  return thought === undefined ? { text: text ?? '' } : { reasoningContent: { reasoningText: { text: thought } } };
}
