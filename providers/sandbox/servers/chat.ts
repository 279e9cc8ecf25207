import type { ChatCompletion, ChatCompletionChunk } from 'openai/resources/chat/completions';
import {
  type Answer,
  answerId,
  answerTime,
  cachedTokens,
  choiceCount,
  completionUsage,
  type Question,
  type StreamEvent,
  type WrittenText,
  wantsUsageEvent,
  writeAnswer,
} from './answer.ts';
import { splitIntoPieces } from './text.ts';

/** Answers /v1/chat/completions. */
export function answerChat(question: Question): Answer {
  const texts = Array.from({ length: choiceCount(question.body) }, (_, index) => writeAnswer(question, index));
  const tokensOut = texts.reduce((sum, { tokens }) => sum + tokens, 0);
  const usage = completionUsage(question.settings, question.promptTokens, tokensOut);
  const object: ChatCompletion = {
    id: answerId('chatcmpl-', question),
    object: 'chat.completion',
    created: answerTime(question),
    model: question.model,
    choices: texts.map((written, index) => ({
      index,
      message: { role: 'assistant', content: written.text, refusal: null },
      logprobs: null,
      finish_reason: statedFinish(written),
    })),
    ...(usage && { usage }),
  };
  return {
    object,
    events: () => chatEvents(object, texts, wantsUsageEvent(question.body)),
    tokensIn: question.promptTokens,
    tokensOut,
    cachedTokens: cachedTokens(question.settings, question.promptTokens),
    finish: texts[0]?.finish ?? 'stop',
  };
}

type StatedFinish = ChatCompletion.Choice['finish_reason'];

function statedFinish(written: WrittenText): StatedFinish {
  // vLLM states `abort`, which OpenAI's type does not know.
  return written.finish as StatedFinish;
}

function chatEvents(object: ChatCompletion, texts: WrittenText[], withUsage: boolean): StreamEvent[] {
  const { id, created, model } = object;
  const chunk = (choices: ChatCompletionChunk.Choice[]): StreamEvent => {
    const data: ChatCompletionChunk = { id, object: 'chat.completion.chunk', created, model, choices };
    return { data };
  };
  const events: StreamEvent[] = [];
  for (const [index, written] of texts.entries()) {
    events.push(chunk([{ index, delta: { role: 'assistant', content: '' }, finish_reason: null }]));
    for (const content of splitIntoPieces(written.text)) {
      events.push(chunk([{ index, delta: { content }, finish_reason: null }]));
    }
    events.push(chunk([{ index, delta: {}, finish_reason: statedFinish(written) }]));
  }
  if (withUsage && object.usage) {
    const data: ChatCompletionChunk = {
      id,
      object: 'chat.completion.chunk',
      created,
      model,
      choices: [],
      usage: object.usage,
    };
    events.push({ data });
  }
  return events;
}
