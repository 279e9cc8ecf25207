import { StreamAssembler } from '../../src/core/assemble-stream.ts';
import { type Fields, fieldsOf, listOf } from '../../src/core/fields.ts';
import type { StreamPiece } from '../contract.ts';
import { type ChatPiece, SILENT } from './chat-chunks.ts';
import { callItem, endOfResponse, messageItem, reasoningItem, responseOf } from './responses-as-chat-answer.ts';

/** How a text is told by the events of the Responses API (openai-node, ResponseStreamEvent), and what it is a part of. */
const textKinds = {
  reasoning_content: { item: 'reasoning', part: { type: 'reasoning_text', text: '' }, event: 'reasoning_text' },
  content: {
    item: 'message',
    part: { type: 'output_text', text: '', annotations: [], logprobs: [] },
    event: 'output_text',
  },
  refusal: { item: 'message', part: { type: 'refusal', refusal: '' }, event: 'refusal' },
} as const;

type TextKind = keyof typeof textKinds;

interface OpenItem {
  kind: 'reasoning' | 'message' | 'call';
  id: string;
  /** Of a message or reasoning: what it holds, the last one still open. */
  parts: Fields[];
  text: TextKind | null;
  call: { index: number; call_id: unknown; name: unknown; arguments: string };
}

/** The chunks of a chat completion as the events of a response. */
export class ResponsePieces {
  private readonly whole = new StreamAssembler('/v1/chat/completions');
  private readonly output: Fields[] = [];
  private readonly counts = { reasoning: 0, message: 0, call: 0 };
  private open: OpenItem | null = null;
  private id = '';
  private number = 0;
  private known: Partial<StreamPiece> = {};

  *push({ chunk, ...known }: ChatPiece): Generator<StreamPiece> {
    this.whole.push(JSON.stringify(chunk));
    const { usage, rawUsage, servedModel, serviceTier } = known;
    if (usage !== null) this.known = { ...this.known, usage, rawUsage };
    if (servedModel !== null) this.known = { ...this.known, servedModel, serviceTier: serviceTier ?? null };
    if (this.number === 0) {
      this.id = String(chunk.id);
      const response = { ...responseOf(chunk, [], null), status: 'in_progress', completed_at: null, usage: null };
      yield this.event('response.created', { response }, known.inputUsage ? { inputUsage: known.inputUsage } : {});
      yield this.event('response.in_progress', { response });
    }
    const [choice] = listOf(chunk.choices);
    const delta = fieldsOf(choice?.delta);
    for (const kind of Object.keys(textKinds) as TextKind[]) {
      const text = delta[kind];
      if (typeof text === 'string') yield* this.text(kind, text);
    }
    for (const call of listOf(delta.tool_calls)) yield* this.call(call);
  }

  *end(): Generator<StreamPiece> {
    const completion = JSON.parse(this.whole.body() ?? '{}') as Fields;
    const finish = listOf(completion.choices)[0]?.finish_reason;
    const { status, reason } = endOfResponse(finish);
    yield* this.close(status);
    const response = responseOf(completion, this.output, finish);
    yield this.event(`response.${status}`, { response }, { ...this.known, finishReason: reason ?? status });
  }

  private *text(kind: TextKind, text: string): Generator<StreamPiece> {
    const { item, part, event } = textKinds[kind];
    if (this.open?.kind !== item) yield* this.enter(item);
    const { open } = this;
    if (open === null) return;
    if (open.text !== kind) {
      yield* this.closePart();
      open.text = kind;
      open.parts.push({ ...part });
      yield this.event('response.content_part.added', { ...this.partPlace(), part });
    }
    const current = open.parts.at(-1) ?? {};
    const member = kind === 'refusal' ? 'refusal' : 'text';
    current[member] = String(current[member]) + text;
    if (text === '') return;
    const logprobs = kind === 'content' ? { logprobs: [] } : {};
    yield this.content(`response.${event}.delta`, { ...this.partPlace(), delta: text, ...logprobs }, text);
  }

  private *call({ index, id, function: called }: Fields): Generator<StreamPiece> {
    const { name, arguments: text } = fieldsOf(called);
    const place = Number(index);
    if (this.open?.kind !== 'call' || this.open.call.index !== place) {
      yield* this.enter('call', { index: place, call_id: id, name, arguments: '' });
    }
    const { open } = this;
    if (open === null || typeof text !== 'string' || text === '') return;
    open.call.arguments += text;
    yield this.content('response.function_call_arguments.delta', { ...this.place(), delta: text }, text);
  }

  private *enter(kind: OpenItem['kind'], call?: OpenItem['call']): Generator<StreamPiece> {
    yield* this.close('completed');
    const count = this.counts[kind]++;
    const prefix = { reasoning: 'rs', message: 'msg', call: 'fc' }[kind];
    // A response has one of each but for calls, which are numbered.
    const suffix = kind === 'call' || count > 0 ? `_${count}` : '';
    const nothing = { index: -1, call_id: null, name: null, arguments: '' };
    this.open = { kind, id: `${prefix}_${this.id}${suffix}`, parts: [], text: null, call: call ?? nothing };
    const item = this.item('in_progress');
    yield this.event('response.output_item.added', { output_index: this.output.length, item });
  }

  private *close(status: string): Generator<StreamPiece> {
    const { open } = this;
    if (open === null) return;
    if (open.kind === 'call') {
      const { name, arguments: text } = open.call;
      yield this.event('response.function_call_arguments.done', { ...this.place(), name, arguments: text });
    } else yield* this.closePart();
    const item = this.item(open.kind === 'message' ? status : 'completed');
    yield this.event('response.output_item.done', { output_index: this.output.length, item });
    this.output.push(item);
    this.open = null;
  }

  private *closePart(): Generator<StreamPiece> {
    const { open } = this;
    const part = open?.parts.at(-1);
    if (open === null || part === undefined || open.text === null) return;
    const { event } = textKinds[open.text];
    const said = open.text === 'refusal' ? { refusal: part.refusal } : { text: part.text };
    const logprobs = open.text === 'content' ? { logprobs: [] } : {};
    yield this.event(`response.${event}.done`, { ...this.partPlace(), ...said, ...logprobs });
    yield this.event('response.content_part.done', { ...this.partPlace(), part });
  }

  private item(status: string): Fields {
    const { open } = this;
    if (open === null) return {};
    if (open.kind === 'reasoning') return reasoningItem(open.id, open.parts);
    return open.kind === 'message' ? messageItem(open.id, open.parts, status) : callItem(open.id, open.call, status);
  }

  private place(): Fields {
    return { item_id: this.open?.id, output_index: this.output.length };
  }

  private partPlace(): Fields {
    return { ...this.place(), content_index: (this.open?.parts.length ?? 1) - 1 };
  }

  private content(type: string, members: Fields, text: string): StreamPiece {
    return this.event(type, members, { content: true, characters: text.length });
  }

  private event(type: string, members: Fields, known: Partial<StreamPiece> = {}): StreamPiece {
    return {
      event: type,
      data: JSON.stringify({ type, sequence_number: this.number++, ...members }),
      ...SILENT,
      ...known,
    };
  }
}
