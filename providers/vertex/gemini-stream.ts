import { type Fields, fieldsOf, isFields, listOf } from '../../src/core/fields.ts';
import { ProviderError } from '../contract.ts';
import { ChatChunks, type ChatMapper, type ChatPiece } from '../shared/chat-chunks.ts';
import { badResponse } from '../shared/openai-status.ts';
import { brokenStream } from '../shared/stream-answer.ts';
import { readParts } from './gemini-answer.ts';
import { answerIdOf, type ResultContext, resultOfGemini } from './results.ts';
import { failureOfStatus } from './status.ts';

/** A candidate as far as it came. */
interface Heard {
  candidate: Fields;
  parts: unknown[];
  calls: number;
  /** The lists of `logprobsResult`. */
  logprobs: Record<string, unknown[]>;
}

/**
 * The parts of a streamed generateContent answer (reference of streamGenerateContent: each is an answer with what is new)
 * as chunks. The whole is put together beside them and read when it ends.
 */
export class GeminiStream implements ChatMapper {
  /** Nothing says that a stream is over, but its end. */
  readonly isOver = false;
  private readonly context: ResultContext;
  private readonly candidates = new Map<number, Heard>();
  private readonly unread = new Set<string>();
  private answer: Fields = {};
  private chunks: ChatChunks | null = null;

  constructor(context: ResultContext) {
    this.context = context;
  }

  *push(event: Fields): Generator<ChatPiece> {
    if (event.error !== undefined && event.error !== null) throw new ProviderError(this.stated(event));
    const { candidates, usageMetadata, ...head } = event;
    // The first part names the answer.
    this.answer = this.chunks === null ? head : { ...head, ...this.answer };
    const usage = { ...fieldsOf(this.answer.usageMetadata), ...fieldsOf(usageMetadata) };
    if (isFields(usageMetadata)) this.answer.usageMetadata = usage;
    const nothing = { ...this.answer, candidates: [{ finishReason: 'STOP' }] };
    this.chunks ??= new ChatChunks(resultOfGemini(nothing, this.context));
    for (const candidate of listOf(candidates)) yield* this.hear(candidate, this.chunks);
  }

  *end(): Generator<ChatPiece> {
    const heard = [...this.candidates.entries()].toSorted(([left], [right]) => left - right);
    const isCut = heard.some(([, { candidate }]) => typeof candidate.finishReason !== 'string');
    if (this.chunks === null || isCut) throw brokenStream(this.context);
    const candidates = heard.map(([, { candidate, parts, logprobs }]) => ({
      ...candidate,
      content: { ...fieldsOf(candidate.content), parts },
      ...(Object.keys(logprobs).length > 0 && { logprobsResult: logprobs }),
    }));
    yield* this.chunks.end(resultOfGemini({ ...this.answer, candidates }, this.context));
  }

  private *hear(candidate: Fields, chunks: ChatChunks): Generator<ChatPiece> {
    const index = Number(candidate.index ?? 0);
    const heard = this.candidates.get(index) ?? { candidate: {}, parts: [], calls: 0, logprobs: {} };
    this.candidates.set(index, heard);
    Object.assign(heard.candidate, candidate);
    for (const [name, list] of Object.entries(fieldsOf(candidate.logprobsResult))) {
      if (Array.isArray(list)) heard.logprobs[name] = [...(heard.logprobs[name] ?? []), ...(list as unknown[])];
    }
    const { parts } = fieldsOf(candidate.content);
    const added: unknown[] = Array.isArray(parts) ? parts : [];
    heard.parts.push(...added);
    const id = answerIdOf(this.answer, this.context);
    const { text, thoughts, calls } = readParts(added, id, index, this.unread, heard.calls);
    if (thoughts !== '') yield chunks.delta({ reasoning_content: thoughts }, index);
    if (text !== '') yield chunks.delta({ content: text }, index);
    for (const call of calls) yield chunks.delta({ tool_calls: [{ index: heard.calls++, ...call }] }, index);
  }

  private stated(event: Fields) {
    return (
      failureOfStatus(event, this.context) ?? badResponse(200, `${this.context.provider} broke off with an error.`)
    );
  }
}
