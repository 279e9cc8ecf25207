import { Answered, type KeyOf } from './answered.ts';
import { BatchBook } from './anthropic-batches.ts';
import { type AnthropicState, answerAnthropic } from './anthropic-exchange.ts';
import {
  type AnthropicCall,
  type AnthropicChanges,
  type AnthropicServerSettings,
  changeAnthropicSettings,
} from './anthropic-settings.ts';
import { listenOnLoopback } from './s3-listening.ts';

export interface AnthropicServerOptions extends AnthropicChanges {
  /** TCP port on 127.0.0.1; 0 (the default) takes a free one. */
  port?: number;
  /** What `answered` counts by. */
  count_by?: KeyOf;
}

/** A simulated Anthropic: Messages, Message Batches and models, on 127.0.0.1. */
export interface SimulatedAnthropic {
  readonly port: number;
  readonly url: string;
  /** Requests received, by call. */
  readonly calls: ReadonlyMap<AnthropicCall, number>;
  readonly settings: Readonly<AnthropicServerSettings>;
  /** Good answers, of calls and of batches that have ended, by `count_by`: of batches as far as they were looked at. */
  readonly answered: ReadonlyMap<string, number>;
  /** Bytes of results sent. */
  readonly sentBytes: number;
  /** Streams that did not come to their end: broken off, or left by their clients. */
  readonly streamsLeft: number;
  /** Changes settings at once. Throws InvalidSettings and then changes nothing. */
  configure(changes: AnthropicChanges): void;
  /** Batches created, unfinished and ended ones that are still there; foreign ones not counted. */
  held(): { created: number; live: number; files: number };
  /** The day of every unfinished batch is over. */
  expire(): void;
  /** A batch that another program made, and that has ended. */
  addForeign(): void;
  /** Cuts every connection and refuses new ones; batches and settings stay. */
  crash(): Promise<void>;
  /** Listens again on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a simulated Anthropic. Throws InvalidSettings for wrong options and Node's error if the port is taken. */
export async function startAnthropicServer(options: AnthropicServerOptions = {}): Promise<SimulatedAnthropic> {
  const { port, count_by: countBy, ...changes } = options;
  const answered = new Answered(countBy);
  const state: AnthropicState = {
    settings: changeAnthropicSettings(changes),
    book: new BatchBook(() => state.settings, answered),
    answered,
    calls: new Map(),
    sentBytes: 0,
    streamsLeft: 0,
    requestNumber: 0,
    origin: '',
  };
  const { url, ...listening } = await listenOnLoopback((received) => answerAnthropic(state, received), port);
  state.origin = url;
  return {
    ...listening,
    url,
    calls: state.calls,
    answered: answered.counts,
    get settings() {
      return state.settings;
    },
    get sentBytes() {
      return state.sentBytes;
    },
    get streamsLeft() {
      return state.streamsLeft;
    },
    configure(changed) {
      state.settings = changeAnthropicSettings(changed, state.settings);
    },
    held: () => state.book.held(),
    expire: () => state.book.expire(),
    addForeign() {
      const params = { model: state.settings.models[0], max_tokens: 5, messages: [{ role: 'user', content: 'Hi' }] };
      state.book.create([{ custom_id: 'r-0', params }], '2023-06-01', true);
    },
  };
}
