import type { CompletionUsage } from 'openai/resources/completions';
import { mixNumbers } from './random.ts';
import type { ForcedFinish, Settings } from './settings.ts';
import { countTokens, cutToTokens, writeText } from './text.ts';

/** A parsed request body. */
export type RequestBody = Record<string, unknown>;

/** All that an answer depends on. */
export interface Question {
  body: RequestBody;
  model: string;
  settings: Settings;
  /** sha-256 of the raw body, in hex. */
  digest: string;
  promptTokens: number;
  /** Tokens that each choice may have. */
  completionLimit: number;
  forcedFinish: ForcedFinish | null;
  /** Text to answer with instead of an invented one. */
  recorded: string | undefined;
}

/** A complete answer: the object, and the same as server-sent events if it is asked for as a stream. */
export interface Answer {
  object: unknown;
  events?: () => StreamEvent[];
  tokensIn: number;
  tokensOut: number;
  cachedTokens: number;
  finish: string;
}

/** One server-sent event; Responses events have a name, the others do not. */
export interface StreamEvent {
  name?: string;
  data: unknown;
}

export interface WrittenText {
  text: string;
  tokens: number;
  finish: 'stop' | ForcedFinish;
}

/** The text of the `index`th choice, cut to what the question allows. */
export function writeAnswer(question: Question, index = 0): WrittenText {
  const { forcedFinish, completionLimit } = question;
  const whole = question.recorded ?? inventText(question, index);
  const wholeTokens = countTokens(whole);
  // A forced finish is one that came too early.
  const allowed = forcedFinish ? Math.min(Math.ceil(wholeTokens / 2), completionLimit) : completionLimit;
  if (wholeTokens <= allowed && !forcedFinish) return { text: whole, tokens: wholeTokens, finish: 'stop' };
  const text = cutToTokens(whole, allowed);
  return { text, tokens: countTokens(text), finish: forcedFinish ?? 'length' };
}

function inventText(question: Question, index: number): string {
  const text = writeText(mixNumbers(answerKey(question), index));
  return wantsJson(question.body) ? JSON.stringify({ answer: text }) : text;
}

function wantsJson(body: RequestBody): boolean {
  // Chat names the format in response_format, Responses in text.format.
  const text = isRecord(body.text) ? body.text.format : undefined;
  const format = body.response_format ?? text;
  return isRecord(format) && (format.type === 'json_object' || format.type === 'json_schema');
}

/** A number that depends on the seed and the raw body. */
export function answerKey(question: Question): number {
  return mixNumbers(Number.parseInt(question.digest.slice(0, 8), 16), question.settings.seed);
}

/** An id that depends on the seed and the raw body. */
export function answerId(prefix: string, question: Question): string {
  return `${prefix}${question.settings.seed.toString(16).padStart(8, '0')}${question.digest.slice(0, 24)}`;
}

/** A time of creation (seconds) that depends on the body, so that equal requests get equal answers. */
export function answerTime(question: Question): number {
  const firstOf2026 = 1_767_225_600;
  return firstOf2026 + (Number.parseInt(question.digest.slice(8, 14), 16) % 86_400);
}

/** Prompt tokens that count as read from a cache: half of them if the settings say so. */
export function cachedTokens(settings: Settings, promptTokens: number): number {
  return settings.usage === 'cached' ? Math.floor(promptTokens / 2) : 0;
}

/** Usage of chat and text completions as the settings want it told; undefined where it is left out. */
export function completionUsage(settings: Settings, prompt: number, completion: number): CompletionUsage | undefined {
  switch (settings.usage) {
    case 'absent':
      return undefined;
    case 'zeros':
      return { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
    case 'on':
      return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
    case 'cached':
      return {
        prompt_tokens: prompt,
        completion_tokens: completion,
        total_tokens: prompt + completion,
        prompt_tokens_details: { cached_tokens: cachedTokens(settings, prompt) },
      };
  }
}

/** Choices asked for with `n`. */
export function choiceCount(body: RequestBody): number {
  return typeof body.n === 'number' ? body.n : 1;
}

/** Whether a stream was asked to end with its usage. */
export function wantsUsageEvent(body: RequestBody): boolean {
  return isRecord(body.stream_options) && body.stream_options.include_usage === true;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
