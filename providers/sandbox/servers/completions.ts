import type { Completion, CompletionChoice } from 'openai/resources/completions';
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

/** Answers /v1/completions: `n` choices for each prompt, those of the first prompt first. */
export function answerCompletion(question: Question): Answer {
  const prompts = promptCount(question.body.prompt);
  const texts = Array.from({ length: prompts * choiceCount(question.body) }, (_, index) =>
    writeAnswer(question, index),
  );
  const tokensOut = texts.reduce((sum, { tokens }) => sum + tokens, 0);
  const usage = completionUsage(question.settings, question.promptTokens, tokensOut);
  const object: Completion = {
    id: answerId('cmpl-', question),
    object: 'text_completion',
    created: answerTime(question),
    model: question.model,
    choices: texts.map((written, index) => choice(index, written.text, statedFinish(written))),
    ...(usage && { usage }),
  };
  return {
    object,
    events: () => completionEvents(object, texts, wantsUsageEvent(question.body)),
    tokensIn: question.promptTokens,
    tokensOut,
    cachedTokens: cachedTokens(question.settings, question.promptTokens),
    finish: texts[0]?.finish ?? 'stop',
  };
}

/** A prompt is a string, a list of strings, one list of token ids, or a list of such lists. */
function promptCount(prompt: unknown): number {
  return Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt.length : 1;
}

type StatedFinish = CompletionChoice['finish_reason'];

function statedFinish(written: WrittenText): StatedFinish {
  // vLLM states `abort`, which OpenAI's type does not know.
  return written.finish as StatedFinish;
}

function choice(index: number, text: string, finish: StatedFinish): CompletionChoice {
  return { index, text, logprobs: null, finish_reason: finish };
}

function completionEvents(object: Completion, texts: WrittenText[], withUsage: boolean): StreamEvent[] {
  const { usage, ...common } = object;
  const events: StreamEvent[] = [];
  for (const [index, written] of texts.entries()) {
    for (const piece of splitIntoPieces(written.text)) {
      // Unfinished pieces have a null finish reason on the wire; the SDK's type knows only final ones.
      events.push({ data: { ...common, choices: [{ ...choice(index, piece, 'stop'), finish_reason: null }] } });
    }
    events.push({ data: { ...common, choices: [choice(index, '', statedFinish(written))] } satisfies Completion });
  }
  if (withUsage && usage) events.push({ data: { ...common, choices: [], usage } satisfies Completion });
  return events;
}
