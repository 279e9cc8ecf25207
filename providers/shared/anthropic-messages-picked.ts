import { AlikeValue } from '../../src/core/alike-value.ts';
import type { JsonCursor } from '../../src/core/json-cursor.ts';
import { Members, type Picked, Span, Word } from '../../src/core/json-pick.ts';
import type { AnswerInBytes } from './answer-in-bytes.ts';
import { endWords, type MessageContext, usageNotices } from './anthropic-messages-answer.ts';
import { usageFromMessage } from './anthropic-messages-usage.ts';
import { chatAnswer, TextBlock, textBlocks } from './chat-in-bytes.ts';

class MessageBlock extends TextBlock {
  private readonly type: Word;

  constructor(type = new Word()) {
    super({ type });
    this.type = type;
  }

  protected override isText(): boolean {
    return this.type.text === 'text';
  }
}

/**
 * A message whose content is text alone, picked from the bytes in which it came: its text goes on as it stands there.
 * It means what `fromMessage` says of it; other messages cannot be read so, or have no answer here.
 */
export class PickedMessage implements Picked {
  private readonly type = new Word();
  private readonly id = new Span();
  private readonly model = new Word();
  private readonly blocks = textBlocks(() => new MessageBlock());
  private readonly stopReason = new Word();
  private readonly usage = new AlikeValue();
  private readonly members = new Members({
    type: this.type,
    id: this.id,
    model: this.model,
    content: this.blocks,
    stop_reason: this.stopReason,
    usage: this.usage,
  });

  clear(): void {
    this.members.clear();
  }

  read(json: JsonCursor, depth: number): boolean {
    return this.members.read(json, depth) && this.type.text === 'message' && this.blocks.count > 0;
  }

  /** What the message means that was just picked; `model`: the name it goes by in place of its own. */
  answer(json: JsonCursor, context: MessageContext, model = this.model.text): AnswerInBytes | null {
    const finishReason = endWords.get(this.stopReason.text ?? '');
    if (finishReason === undefined || model === null || !this.id.isString) return null;
    const reading = usageFromMessage({ usage: this.usage.value(json) });
    const { usage, raw } = reading;
    const chat = {
      idPrefix: '',
      id: this.id,
      created: Math.floor(context.nowMs / 1000),
      model,
      blocks: this.blocks,
      finishReason,
      usage,
    };
    const { requestId } = context;
    const { warnings, serviceTier } = usageNotices(reading);
    const said = {
      status: 200,
      requestId,
      usage,
      rawUsage: raw,
      servedModel: model,
      serviceTier,
      finishReason,
      warnings,
    };
    return chatAnswer(json, chat, said);
  }
}
