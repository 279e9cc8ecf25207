import { type Fields, fieldsOf, listOf } from '../../src/core/fields.ts';
import { ProviderError, type Result, type StreamPiece, type Success } from '../contract.ts';

/** What a piece knows that says nothing. */
export const SILENT: Omit<StreamPiece, 'event' | 'data'> = {
  content: false,
  usageOnly: false,
  usage: null,
  rawUsage: null,
  servedModel: null,
  finishReason: null,
};

/** A chunk of a chat completion, with what it says beside its text. */
export interface ChatPiece extends Omit<StreamPiece, 'event' | 'data'> {
  chunk: Fields;
}

/** Turns the events of a service's own stream into chunks of a chat completion. Pure; one for each stream. */
export interface ChatMapper {
  /** Nothing that matters can follow. */
  readonly isOver: boolean;
  /** What an event brings. Throws ProviderError for an error that it states. */
  push(event: Fields): Iterable<ChatPiece>;
  /** What is left to say when the stream has ended. Throws ProviderError when the answer is not whole. */
  end(): Iterable<ChatPiece>;
}

/** The members of a message that come in pieces. */
const textMembers = ['reasoning_content', 'content', 'refusal'] as const;

type Said = { [member in (typeof textMembers)[number]]?: string } & { calls: number };

/** Writes the chunks of one answer: first what is heard of it, then what the whole of it adds. */
export class ChatChunks {
  private readonly head: { id: unknown; created: unknown; model: unknown };
  private readonly said = new Map<number, Said>();
  private inputUsage: StreamPiece['usage'];

  /** `begun`: the answer as it was read when nothing had been said. Throws ProviderError when it is none. */
  constructor(begun: Result) {
    const { id, created, model } = answerOf(begun);
    this.head = { id, created, model };
    this.inputUsage = begun.usage;
  }

  /** The id of the answer. */
  get id(): string {
    return String(this.head.id);
  }

  /** A part of a choice's message. */
  delta(delta: Fields, index = 0): ChatPiece {
    return this.choice({ index, delta: this.say(index, delta), logprobs: null, finish_reason: null }, {});
  }

  /**
   * What `result`, the whole answer, says beyond what was heard of it: rests of texts, tool calls, finish reasons and usage.
   * Throws ProviderError when it is none.
   */
  *end(result: Result): Generator<ChatPiece> {
    if (!result.ok && result.usage !== null) yield this.usage(null, result);
    const { choices, usage } = answerOf(result);
    const { usage: counts, rawUsage, servedModel, serviceTier, finishReason } = result as Success;
    const known = { usage: counts, rawUsage, servedModel, serviceTier: serviceTier ?? null, finishReason };
    for (const { index: place, message, finish_reason, logprobs } of listOf(choices)) {
      const index = Number(place ?? 0);
      const delta = this.say(index, this.rest(index, fieldsOf(message)));
      yield this.choice({ index, delta, logprobs: logprobs ?? null, finish_reason }, known);
    }
    if (usage !== undefined) yield this.usage(usage, result);
  }

  private rest(index: number, message: Fields): Fields {
    const said = this.said.get(index) ?? { calls: 0 };
    const rest: Fields = {};
    for (const member of textMembers) {
      const whole = message[member];
      if (typeof whole !== 'string') continue;
      const before = said[member];
      if (before === undefined) rest[member] = whole;
      else if (whole.length > before.length && whole.startsWith(before)) rest[member] = whole.slice(before.length);
    }
    const calls = listOf(message.tool_calls).map((call, place) => ({ index: place, ...call }));
    if (calls.length > said.calls) rest.tool_calls = calls.slice(said.calls);
    return rest;
  }

  /** Remembers what is said; the first delta of a choice says whose it is. */
  private say(index: number, delta: Fields): Fields {
    const before = this.said.get(index);
    const said: Said = before ?? { calls: 0 };
    this.said.set(index, said);
    for (const member of textMembers) {
      const text = delta[member];
      if (typeof text === 'string') said[member] = (said[member] ?? '') + text;
    }
    for (const call of listOf(delta.tool_calls)) said.calls = Math.max(said.calls, Number(call.index) + 1);
    return before === undefined ? { role: 'assistant', content: null, refusal: null, ...delta } : delta;
  }

  private choice(choice: { delta: Fields } & Fields, known: Partial<ChatPiece>): ChatPiece {
    const characters = charactersOf(choice.delta);
    return this.piece([choice], null, { content: characters > 0, characters, ...known });
  }

  private usage(usage: unknown, { usage: counts, rawUsage }: Pick<StreamPiece, 'usage' | 'rawUsage'>): ChatPiece {
    return this.piece([], usage, { usageOnly: true, usage: counts, rawUsage });
  }

  private piece(choices: Fields[], usage: unknown, known: Partial<ChatPiece>): ChatPiece {
    const { id, created, model } = this.head;
    const { inputUsage } = this;
    this.inputUsage = null;
    return {
      chunk: { id, object: 'chat.completion.chunk', created, model, choices, usage },
      ...SILENT,
      ...(inputUsage !== null && { inputUsage }),
      ...known,
    };
  }
}

function answerOf(result: Result): Fields {
  if (!result.ok) throw new ProviderError(result.failure);
  return JSON.parse(result.body) as Fields;
}

function charactersOf(delta: Fields): number {
  const texts = [
    ...textMembers.map((member) => delta[member]),
    ...listOf(delta.tool_calls).flatMap((call) => {
      const { name, arguments: text } = fieldsOf(call.function);
      return [name, text];
    }),
  ];
  return texts.reduce<number>((sum, text) => sum + (typeof text === 'string' ? text.length : 0), 0);
}
