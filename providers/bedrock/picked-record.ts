import { AlikeValue } from '../../src/core/alike-value.ts';
import { JsonCursor } from '../../src/core/json-cursor.ts';
import { Members, type Picked, pick, Span, Word } from '../../src/core/json-pick.ts';
import { jsonText } from '../../src/core/jsonl.ts';
import type { BatchResult } from '../contract.ts';
import { type AnswerInBytes, LineInBytes } from '../shared/answer-in-bytes.ts';
import { PickedMessage } from '../shared/anthropic-messages-picked.ts';
import { chatAnswer, textBlocks } from '../shared/chat-in-bytes.ts';
import type { AnswerFacts } from './facts.ts';
import { endWords, usageWarnings } from './results.ts';
import { readConverseUsage } from './usage.ts';

/** An output of Converse whose message is text alone. */
class PickedConverse implements Picked {
  private readonly blocks = textBlocks();
  private readonly stopReason = new Word();
  private readonly usage = new AlikeValue();
  private readonly message = new Members({ content: this.blocks });
  private readonly members = new Members({
    output: new Members({ message: this.message }),
    stopReason: this.stopReason,
    usage: this.usage,
  });

  clear(): void {
    this.members.clear();
  }

  read(json: JsonCursor, depth: number): boolean {
    return this.members.read(json, depth) && this.blocks.count > 0;
  }

  /** What `converseResult` says of it. */
  answer(json: JsonCursor, facts: AnswerFacts): AnswerInBytes | null {
    const finishReason = endWords.get(this.stopReason.text ?? '');
    if (finishReason === undefined) return null;
    const reading = readConverseUsage({ usage: this.usage.value(json) });
    const { usage, raw } = reading;
    const chat = {
      idPrefix: '',
      id: jsonText(facts.id).slice(1, -1),
      created: facts.created,
      model: facts.model,
      blocks: this.blocks,
      finishReason,
      usage,
    };
    const warnings = usageWarnings(reading);
    const { requestId, model } = facts;
    const said = { status: 200, requestId, usage, rawUsage: raw, servedModel: model, finishReason, warnings };
    return chatAnswer(json, chat, said);
  }
}

const json = new JsonCursor();
const recordId = new Span();
const error = new Span();
const converse = new PickedConverse();
const message = new PickedMessage();
const records = {
  converse: new Members({ recordId, error, modelOutput: converse }),
  claude: new Members({ recordId, error, modelOutput: message }),
};

/**
 * The success that a line of a job's output holds, whose bytes are its own from now on; null for one that is left to
 * `readRecord`: only answers of text alone can go on as they stand.
 */
export function pickedRecord(bytes: Uint8Array, factsOf: (key: string) => AnswerFacts): BatchResult | null {
  const { form, endpoint } = factsOf('');
  if (endpoint !== '/v1/chat/completions') return null;
  const isClaude = form === 'claude';
  if (!isClaude && form !== 'converse' && form !== 'nova') return null;
  if (!pick(json, bytes, isClaude ? records.claude : records.converse) || !error.isEmpty) return null;
  const key = recordId.word(json);
  if (key === null) return null;
  const facts = factsOf(key);
  const { provider, secrets, requestId, model, created } = facts;
  const context = { provider, secrets, requestId, nowMs: created * 1000 };
  const answer = isClaude ? message.answer(json, context, model) : converse.answer(json, facts);
  return answer && new LineInBytes(key, answer, bytes);
}
