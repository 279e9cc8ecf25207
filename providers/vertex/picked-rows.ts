import { AlikeValue } from '../../src/core/alike-value.ts';
import { JsonCursor } from '../../src/core/json-cursor.ts';
import { Items, Members, type Picked, pick, Span, Word } from '../../src/core/json-pick.ts';
import { escapeLineSeparators } from '../../src/core/jsonl.ts';
import type { AnswerInBytes } from '../shared/answer-in-bytes.ts';
import { chatAnswer, TextBlock, textBlocks } from '../shared/chat-in-bytes.ts';
import { usageWarnings } from '../shared/openai-results.ts';
import { tierWarnings } from '../shared/service-tier.ts';
import { endWords } from './gemini-answer.ts';
import { createdAt, type ResultContext, servedName } from './results.ts';
import { tierOf, toOpenAIUsage, usageFromGemini } from './usage.ts';

/** A part that is text, and neither a call nor a thought. */
class TextPart extends TextBlock {
  private readonly call: Span;
  private readonly thought: Span;

  constructor(call = new Span(), thought = new Span()) {
    super({ functionCall: call, thought });
    this.call = call;
    this.thought = thought;
  }

  protected override isText(): boolean {
    return this.call.isEmpty && this.thought.isEmpty;
  }
}

class Candidate implements Picked {
  readonly parts = textBlocks(() => new TextPart());
  readonly reason = new Word();
  private readonly logprobs = new Span();
  private readonly members = new Members({
    content: new Members({ parts: this.parts }),
    finishReason: this.reason,
    logprobsResult: this.logprobs,
  });

  clear(): void {
    this.members.clear();
  }

  read(json: JsonCursor, depth: number): boolean {
    return this.members.read(json, depth) && this.parts.count > 0 && this.logprobs.isEmpty;
  }
}

/** An answer of Gemini with one candidate, which is text alone. */
class PickedGemini implements Picked {
  private readonly candidates = new Items(1, () => new Candidate());
  private readonly version = new Word();
  private readonly id = new Span();
  private readonly created = new Span();
  private readonly usage = new AlikeValue();
  private readonly members = new Members({
    candidates: this.candidates,
    modelVersion: this.version,
    responseId: this.id,
    createTime: this.created,
    usageMetadata: this.usage,
  });

  clear(): void {
    this.members.clear();
  }

  read(json: JsonCursor, depth: number): boolean {
    return this.members.read(json, depth) && this.candidates.count === 1;
  }

  /** What `resultOfGemini` says of it. */
  answer(json: JsonCursor, context: ResultContext): AnswerInBytes | null {
    const { parts, reason } = this.candidates.at(0);
    const finishReason = endWords.get(reason.text ?? '');
    const version = this.version.text;
    if (finishReason === undefined || version === null || !this.id.isString) return null;
    const usageMetadata = this.usage.value(json);
    const reading = usageFromGemini({ usageMetadata });
    const stated = reading.raw && toOpenAIUsage(usageMetadata);
    const servedModel = servedName(version);
    const chat = {
      idPrefix: 'chatcmpl-',
      id: this.id,
      created: createdAt(this.created.word(json), context),
      model: servedModel,
      blocks: parts,
      finishReason,
      usage: stated && escapeLineSeparators(JSON.stringify(stated)),
    };
    const serviceTier = tierOf(usageMetadata);
    const usageSaid = usageWarnings('/v1/chat/completions', reading.raw, reading.problems);
    const warnings = [...new Set([...usageSaid, ...tierWarnings(serviceTier)])];
    const { usage, raw } = reading;
    const said = {
      status: 200,
      requestId: null,
      usage,
      rawUsage: raw,
      servedModel,
      serviceTier,
      finishReason,
      warnings,
    };
    return chatAnswer(json, chat, said);
  }
}

const json = new JsonCursor();
const key = new Span();
const label = new Span();
const status = new Span();
const error = new Span();
const instance = new Span();
const response = new PickedGemini();
const row = new Members({
  key,
  status,
  error,
  instance,
  request: new Members({ labels: new Members({ weir_key: label }) }),
  response,
});

/** The key and the answer of a row that is neither a failure nor mixed up; null for one that is left to the full reading. */
export function pickedRow(bytes: Uint8Array, context: ResultContext): { key: string; answer: AnswerInBytes } | null {
  if (!pick(json, bytes, row) || !error.isEmpty || !instance.isEmpty) return null;
  const stated = status.isEmpty ? '' : status.word(json);
  const named = key.word(json);
  if (stated !== '' || named === null || (!label.isEmpty && label.word(json) !== named)) return null;
  const answer = response.answer(json, context);
  return answer && { key: named, answer };
}
