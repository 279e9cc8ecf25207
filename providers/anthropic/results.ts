import type { MessageBatchIndividualResponse } from '@anthropic-ai/sdk/resources/messages/batches';
import { type Failure, refusal } from '../../src/core/failure.ts';
import { JsonCursor } from '../../src/core/json-cursor.ts';
import { Members, pick, Span, Word } from '../../src/core/json-pick.ts';
import type { HttpResponse } from '../../src/ports/http-client.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { BatchResult, Failed, Result } from '../contract.ts';
import { type AnswerContext, type ParsedAnswer, parseAnswer, readId } from '../shared/answer.ts';
import { LineInBytes } from '../shared/answer-in-bytes.ts';
import { fromMessage } from '../shared/anthropic-messages-answer.ts';
import { failedWith, failureOfError } from '../shared/anthropic-messages-errors.ts';
import { PickedMessage } from '../shared/anthropic-messages-picked.ts';
import { isFields } from '../shared/error-body.ts';
import { badResponse } from '../shared/openai-status.ts';
import { answerAs } from '../shared/responses-as-chat.ts';
import { readUsage } from './usage.ts';

const damaged = 'the answer was not valid UTF-8; bad bytes were replaced by U+FFFD';

/** The result that an answer of the Messages API means, in the shape of the endpoint that was asked. Never throws. */
export function resultOf(endpoint: Endpoint, response: HttpResponse, context: AnswerContext): Result {
  const { status, headers } = response;
  const answer = parseAnswer(response.body);
  const requestId = readId(headers['request-id']);
  if (status >= 300 && status < 400) return { ...failedWith(redirect(status, context), requestId), body: null };
  if (status < 200 || status > 299) {
    const { usage, raw } = readUsage(answer.json);
    const failure = failureOfError(answer.json, status, headers, context);
    return { ...failedWith(failure, requestId), usage, rawUsage: raw };
  }
  if (answer.json === undefined) {
    const isHtml = /^\s*</.test(answer.text);
    const what = isHtml ? 'HTML instead of JSON; is the base URL right?' : 'a body that is not JSON, or was cut off.';
    const failure = badResponse(status, `${context.provider} answered ${status} with ${what}`);
    return { ...failedWith(failure, requestId), body: null };
  }
  const result = fromMessage(answer.json, { ...context, requestId });
  if (result.ok && answer.isDamaged) result.warnings.push(damaged);
  return answerAs(endpoint, result);
}

function redirect(status: number, { provider }: AnswerContext): Failure {
  const message = `${provider} answered with a redirect (${status}), which is not followed. Put the final address into its config.`;
  return badResponse(status, message, 'redirect_refused');
}

const cursor = new JsonCursor();
const pickedId = new Span();
const pickedType = new Word();
const pickedMessage = new PickedMessage();
const pickedLine = new Members({
  custom_id: pickedId,
  result: new Members({ type: pickedType, message: pickedMessage }),
});

/**
 * The result of one line of a batch's results, whose bytes are its own from now on; `key` is what `keyOf` makes of its
 * custom_id. Bytes that are no UTF-8 become U+FFFD, with a warning. Never throws.
 */
export function resultOfLine(
  bytes: Uint8Array,
  endpoint: Endpoint,
  keyOf: (customId: string) => string,
  context: AnswerContext,
): BatchResult {
  if (endpoint === '/v1/chat/completions' && pick(cursor, bytes, pickedLine) && pickedType.text === 'succeeded') {
    const id = pickedId.word(cursor);
    const answer = pickedMessage.answer(cursor, { ...context, requestId: null });
    if (answer !== null) return new LineInBytes(id === null || id === '' ? null : keyOf(id), answer, bytes);
  }
  return resultOfText(parseAnswer(bytes), endpoint, keyOf, context);
}

type ResultType = MessageBatchIndividualResponse['result']['type'];

/** The error of an errored request is nested twice (@anthropic-ai/sdk, MessageBatchErroredResult). */
export function resultOfText(
  { text, json: line, isDamaged }: ParsedAnswer,
  endpoint: Endpoint,
  keyOf: (customId: string) => string,
  context: AnswerContext,
): BatchResult {
  if (!isFields(line)) return unreadable(text, `${context.provider} returned a line that is no JSON object.`);
  const key = typeof line.custom_id === 'string' && line.custom_id !== '' ? keyOf(line.custom_id) : null;
  if (!isFields(line.result))
    return { ...unreadable(text, `${context.provider} returned a line without a result.`), key };
  const { message, error } = line.result;
  switch (line.result.type as ResultType) {
    case 'succeeded':
      return { key, result: answerAs(endpoint, readMessage(message, isDamaged, context)), raw: text };
    case 'errored':
      return { key, result: readError(error, context), raw: text };
    case 'canceled':
      return {
        key,
        result: neverRun('cancelled', 'batch_cancelled', 'The batch was cancelled before this request ran.'),
        raw: text,
      };
    case 'expired':
      return {
        key,
        result: neverRun('expired', 'batch_expired', 'The batch expired before this request ran.'),
        raw: text,
      };
    default: {
      const type = JSON.stringify(line.result.type)?.slice(0, 60);
      return { ...unreadable(text, `${context.provider} returned a result of type ${type}.`), key };
    }
  }
}

function readMessage(message: unknown, isDamaged: boolean, context: AnswerContext): Result {
  const result = fromMessage(message, { ...context, requestId: null });
  if (result.ok && isDamaged) result.warnings.push(damaged);
  return result;
}

function readError(error: unknown, context: AnswerContext): Failed {
  const requestId = isFields(error) ? readId(error.request_id) : null;
  return failedWith(failureOfError(error, null, {}, context), requestId);
}

/** Requests that never ran are not billed. */
function neverRun(kind: 'cancelled' | 'expired', code: string, message: string): Failed {
  const failure: Failure = { ...refusal(kind, code, message), type: 'request_error' };
  return { ...failedWith(failure, null), body: null };
}

function unreadable(raw: string, message: string): BatchResult {
  return { key: null, result: failedWith(badResponse(200, message), null), raw };
}

/** The result of a line longer than a line may be; it was not kept. */
export function oversizedLine(bytes: number, provider: string): BatchResult {
  const message = `${provider} returned a line of ${bytes} bytes, more than may be kept.`;
  return { key: null, result: failedWith(badResponse(200, message, 'response_too_large'), null), raw: '' };
}
