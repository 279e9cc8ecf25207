import { ProviderError, type StreamPiece, type Success } from '../../../providers/contract.ts';
import { StreamAssembler } from '../../core/assemble-stream.ts';
import { type Failure, refusal } from '../../core/failure.ts';
import { escapeLineSeparators } from '../../core/jsonl.ts';
import type { Usage } from '../../core/usage.ts';
import type { Begun, CallInHand } from './attempts.ts';
import { type Keep, mayBeKept } from './cached-call.ts';
import { type OpenedStream, streamFailure } from './open-stream.ts';

/** Characters of pieces that are held for those who came later, or read more slowly than another. */
const HELD_MAX = 4 * 1024 ** 2;

/** A token's length in English and code, on average. */
const CHARACTERS_PER_TOKEN = 4;

/** What a stream has said so far. */
interface Heard {
  usage: Usage | null;
  rawUsage: object | null;
  servedModel: string | null;
  finishReason: string | null;
  serviceTier: string | null;
  /** What was read, where that was said before the end. */
  inputUsage: Usage | null;
  /** An estimate of the tokens of what was said. */
  tokens: number;
}

/** What begins to answer a call, and what is to be done with its answer. */
interface Source {
  hand: CallInHand;
  begun: Begun<OpenedStream>;
  keep: Keep;
  /** Called when nothing more will come, its entry written. */
  closed: () => void;
}

/**
 * One answer as it comes from its provider, for all who asked for it: who comes later hears it from its beginning. It is read
 * no faster than the fastest of them reads, goes on while one of them is there, and is entered once, before its end is told:
 * whole, or as an estimate of what was said when it breaks off or all of them have left.
 */
export class LiveAnswer {
  private readonly controller = new AbortController();
  private readonly readers = new Set<AnswerReader>();
  private readonly opened = Promise.withResolvers<boolean>();
  private readonly heard: Heard = {
    usage: null,
    rawUsage: null,
    servedModel: null,
    finishReason: null,
    serviceTier: null,
    inputUsage: null,
    tokens: 0,
  };
  private source: Source | null = null;
  private whole: StreamAssembler | null = null;
  private pieces: StreamPiece[] = [];
  private held = 0;
  /** Pieces that are held no more. */
  private dropped = 0;
  private next: StreamPiece | null = null;
  private reading: Promise<void> | null = null;
  private over: { failure: Failure | null } | null = null;
  private isEntered = false;

  /** Aborts when nobody waits for the answer any more. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Whether it can be heard from its beginning, and goes on. */
  get isOpen(): boolean {
    return this.dropped === 0 && this.over?.failure == null && !this.controller.signal.aborted;
  }

  /** Resolves when it has begun: false when it did not, or is not for others. */
  get begins(): Promise<boolean> {
    return this.opened.promise;
  }

  /** Somebody who waits for the answer, until the signal aborts. */
  join(signal: AbortSignal): AnswerReader {
    const reader = new AnswerReader(this, signal);
    this.readers.add(reader);
    if (signal.aborted) reader.leave();
    return reader;
  }

  /** `forOthers`: whether it answers what the others ask. */
  begin(source: Source, forOthers: boolean): void {
    this.source = source;
    this.next = source.begun.answer.first;
    if (mayBeKept(source.hand, source.begun.candidate)) {
      this.whole = new StreamAssembler(source.hand.call.request.endpoint);
    }
    this.opened.resolve(forOthers);
  }

  /** It does not begin. */
  withdraw(): void {
    this.opened.resolve(false);
  }

  /** The answer as the ledger knows it; `body` is empty. */
  get answer(): Success {
    return this.toAnswer('');
  }

  get begun(): Begun<OpenedStream> {
    if (this.source === null) throw new Error('an answer that has not begun');
    return this.source.begun;
  }

  /** The piece at a place; null at the end. Throws ProviderError when the answer breaks off before it. */
  async at(place: number): Promise<StreamPiece | null> {
    for (;;) {
      if (place < this.dropped) throw new ProviderError(tooSlow());
      const piece = this.pieces[place - this.dropped];
      if (piece !== undefined) return piece;
      if (this.over !== null) {
        if (this.over.failure !== null) throw new ProviderError(this.over.failure);
        return null;
      }
      this.reading ??= this.read().finally(() => {
        this.reading = null;
      });
      await this.reading;
    }
  }

  /** A reader has read up to a place: what is held beyond the bound goes, though others may not have read it. */
  trim(place: number): void {
    const most = this.whole === null ? 0 : HELD_MAX;
    let count = 0;
    while (this.held > most && this.dropped + count < place) {
      this.held -= this.pieces[count]?.data.length ?? 0;
      count += 1;
    }
    this.dropped += count;
    if (count > 0) this.pieces = this.pieces.slice(count);
  }

  leave(reader: AnswerReader): void {
    if (!this.readers.delete(reader) || this.readers.size > 0) return;
    this.controller.abort();
    // A piece that is waited for fails by the signal, and ends it.
    if (this.source !== null && this.over === null && this.reading === null) {
      this.reading = this.breakOff(clientLeft());
    }
  }

  private async read(): Promise<void> {
    const { begun, hand } = this.started();
    try {
      const piece = await this.nextPiece(begun.answer.rest);
      if (piece === null) {
        await this.enter();
        this.end(null);
        return;
      }
      hear(this.heard, piece);
      this.whole?.push(piece.data);
      // The last event of a response says that it is complete: nothing may be left to do after it.
      if (hand.call.request.endpoint === '/v1/responses' && piece.finishReason !== null) await this.enter();
      this.pieces.push(piece);
      this.held += piece.data.length;
    } catch (error) {
      await this.breakOff(streamFailure(error, begun.provider.name));
    }
    // They left while this piece came.
    if (this.over === null && this.readers.size === 0) await this.breakOff(clientLeft());
  }

  private async nextPiece(rest: AsyncIterator<StreamPiece>): Promise<StreamPiece | null> {
    const first = this.next;
    this.next = null;
    if (first !== null) return first;
    const { done, value } = await rest.next();
    return done === true ? null : value;
  }

  private async enter(): Promise<void> {
    if (this.isEntered) return;
    this.isEntered = true;
    const { hand, begun, keep } = this.started();
    const { candidate, provider, trip } = begun;
    const ended = trip.end(null, this.heard.usage);
    await hand.account.enter({ candidate, provider, result: this.answer, ...ended, final: true });
    const body = this.whole?.body() ?? null;
    if (body !== null) keep(candidate, this.toAnswer(body));
  }

  private async breakOff(failure: Failure): Promise<void> {
    if (!this.isEntered) {
      this.isEntered = true;
      // The writer tells the log; nobody is there to be told.
      await this.enterBroken(failure).catch(() => undefined);
    }
    this.end(failure);
  }

  private async enterBroken(failure: Failure): Promise<void> {
    const { hand, begun } = this.started();
    const { candidate, provider, trip } = begun;
    const { rawUsage, servedModel, serviceTier, tokens, inputUsage } = this.heard;
    const input = inputUsage ?? { input_tokens: Math.ceil(hand.call.bytes / CHARACTERS_PER_TOKEN) };
    const usage = this.heard.usage ?? { ...input, output_tokens: Math.ceil(tokens) };
    const gone = failure.kind === 'interrupted';
    const ended = trip.end(gone ? null : failure, usage);
    const errorCode = gone ? 'client_disconnected' : failure.code;
    const said = { usage, rawUsage, servedModel, serviceTier, errorCode };
    await hand.account.enterBrokenOff({ candidate, provider, ...ended }, said);
  }

  private end(failure: Failure | null): void {
    const { begun, closed } = this.started();
    this.over = { failure };
    void begun.answer.rest.return?.()?.catch(() => undefined);
    closed();
  }

  private started(): Source {
    if (this.source === null) throw new Error('an answer that has not begun');
    return this.source;
  }

  private toAnswer(body: string): Success {
    const { usage, rawUsage, servedModel, finishReason, serviceTier } = this.heard;
    const said = { usage, rawUsage, servedModel, finishReason, serviceTier };
    const { requestId } = this.begun.answer;
    return { ok: true, status: 200, requestId, body: escapeLineSeparators(body), warnings: [], ...said };
  }
}

/** One of those who wait for an answer. */
export class AnswerReader {
  private readonly answer: LiveAnswer;
  private readonly signal: AbortSignal;
  private readonly onAbort = (): void => this.leave();
  private place = 0;

  constructor(answer: LiveAnswer, signal: AbortSignal) {
    this.answer = answer;
    this.signal = signal;
    signal.addEventListener('abort', this.onAbort, { once: true });
  }

  /** The next piece; null at the end. Throws ProviderError when the answer breaks off. */
  async next(): Promise<StreamPiece | null> {
    const piece = await this.answer.at(this.place);
    if (piece !== null) {
      this.place += 1;
      this.answer.trim(this.place);
    }
    return piece;
  }

  /** Waits no more. May be called more than once. */
  leave(): void {
    this.signal.removeEventListener('abort', this.onAbort);
    this.answer.leave(this);
  }
}

function hear(heard: Heard, piece: StreamPiece): void {
  // Servers of OpenAI's shape send a piece for each token, or for a few.
  if (piece.content) heard.tokens += piece.characters === undefined ? 1 : piece.characters / CHARACTERS_PER_TOKEN;
  heard.inputUsage ??= piece.inputUsage ?? null;
  heard.serviceTier = piece.serviceTier ?? heard.serviceTier;
  heard.usage = piece.usage ?? heard.usage;
  heard.rawUsage = piece.rawUsage ?? heard.rawUsage;
  heard.servedModel ??= piece.servedModel;
  heard.finishReason = piece.finishReason ?? heard.finishReason;
}

function clientLeft(): Failure {
  return refusal('interrupted', 'client_disconnected', 'The client left before the end of the stream.');
}

function tooSlow(): Failure {
  const message = 'The stream was read too slowly beside others who asked for the same. Ask again.';
  return { ...refusal('overloaded', 'read_too_slowly', message), type: 'server_error' };
}
