import { type Failure, toErrorBody } from '../../src/core/failure.ts';
import { escapeLineSeparators } from '../../src/core/jsonl.ts';
import type { UsageReading } from '../../src/core/usage.ts';
import type { Failed, Result, Success } from '../contract.ts';
import type { ParsedAnswer } from '../shared/answer.ts';
import { toCompletionUsage } from '../shared/anthropic-messages-usage.ts';
import { isFields } from '../shared/error-body.ts';
import { withAnswer } from '../shared/failed-answer.ts';
import { badResponse, typeOf } from '../shared/openai-status.ts';
import { redact } from '../shared/redact.ts';
import { answerAs } from '../shared/responses-as-chat.ts';
import { claudeResult } from './claude.ts';
import type { AnswerFacts } from './facts.ts';
import { readInvoked } from './invoke-results.ts';
import type { InvokeForm } from './models.ts';
import { kindOfStatus } from './status.ts';
import { readConverseUsage, readEmbeddingUsage } from './usage.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The result that a model's output means, in the shape of the endpoint that was asked. Never throws. */
export function resultOf(output: unknown, facts: AnswerFacts): Result {
  if (!isFields(output)) return failed(badResponse(200, `${facts.provider} answered without a JSON object.`), facts);
  switch (facts.form) {
    case 'converse':
    case 'nova':
      return answerAs(facts.endpoint, converseResult(output, facts));
    case 'llama2':
    case 'llama3':
    case 'llama4':
    case 'mistral':
    case 'mistral-chat':
    case 'openai-chat':
    case 'titan-text':
      return answerAs(facts.endpoint, invokedResult(facts.form, output, facts));
    case 'claude':
      return answerAs(facts.endpoint, claudeResult(output, facts));
    case 'titan-embed':
      return embeddingResult(output, isNumbers(output.embedding) ? [output.embedding] : null, facts);
    case 'cohere-embed':
      return embeddingResult(output, cohereVectors(output.embeddings), facts);
  }
}

function failed(failure: Failure, facts: AnswerFacts, reading?: UsageReading): Failed {
  const { requestId } = facts;
  const body = failure.kind === 'bad_response' ? null : JSON.stringify({ error: toErrorBody(failure) });
  return { ok: false, failure, requestId, body, usage: reading?.usage ?? null, rawUsage: reading?.raw ?? null };
}

/** Why Converse ended (service model of bedrock-runtime, StopReason), in OpenAI's words. */
const finishReasons: ReadonlyMap<string, string> = new Map(
  Object.entries({
    end_turn: 'stop',
    stop_sequence: 'stop',
    max_tokens: 'length',
    model_context_window_exceeded: 'length',
    tool_use: 'tool_calls',
    guardrail_intervened: 'content_filter',
    content_filtered: 'content_filter',
    malformed_model_output: 'stop',
    malformed_tool_use: 'stop',
  }),
);

/** Those after which a text is an answer like any other. */
export const endWords: ReadonlyMap<string, string> = new Map(
  [...finishReasons].filter(([stop, word]) => ['stop', 'length'].includes(word) && !stop.startsWith('malformed_')),
);

/** What an answer of Converse means, as a chat completion. */
export function converseResult(output: Fields, facts: AnswerFacts): Result {
  const reading = readConverseUsage(output);
  const message = isFields(output.output) ? output.output.message : undefined;
  if (!isFields(message) || !Array.isArray(message.content)) {
    return failed(badResponse(200, `${facts.provider} answered without a message.`), facts, reading);
  }
  const stop = typeof output.stopReason === 'string' ? output.stopReason : '';
  const known = finishReasons.get(stop);
  const finish = known ?? 'stop';
  const warnings = usageWarnings(reading);
  if (known === undefined) warnings.push(`finish_reason: '${stop.slice(0, 40)}' is unknown; taken as stop`);
  if (stop.startsWith('malformed_')) warnings.push(`the model ended with ${stop}: its answer may be incomplete`);
  return chatResult(openaiMessage(message.content, warnings), finish, warnings, reading, facts);
}

/** What a model answered to InvokeModel in its own form. */
function invokedResult(form: Exclude<InvokeForm, 'nova'>, output: Fields, facts: AnswerFacts): Result {
  const said = readInvoked(form, output);
  if (said === null) return failed(badResponse(200, `${facts.provider} answered without a message.`), facts);
  const { text, reasoning, calls, finish, unknownStop, reading } = said;
  const warnings = usageWarnings(reading);
  if (unknownStop !== null) warnings.push(`finish_reason: '${unknownStop.slice(0, 40)}' is unknown; taken as stop`);
  return chatResult(messageOf(text, reasoning, calls), finish, warnings, reading, facts);
}

function chatResult(
  message: object,
  finish: string,
  warnings: string[],
  reading: UsageReading,
  facts: AnswerFacts,
): Success {
  const chat = {
    id: facts.id,
    object: 'chat.completion',
    created: facts.created,
    model: facts.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finish }],
    ...(reading.usage !== null && { usage: toCompletionUsage(reading.usage) }),
  };
  return success(chat, finish, warnings, reading, facts);
}

/** In batch output every block spells out all members of its union, with null for the others: only what is set counts. */
function openaiMessage(content: readonly unknown[], warnings: string[]): object {
  let text = '';
  let reasoning = '';
  const leftOut = new Set<string>();
  const calls: object[] = [];
  for (const block of content) {
    if (!isFields(block)) continue;
    if (typeof block.text === 'string') text += block.text;
    else if (isFields(block.toolUse)) calls.push(toolCall(block.toolUse));
    else if (isFields(block.reasoningContent)) reasoning += reasoningText(block.reasoningContent);
    else leftOut.add(Object.keys(block).find((name) => block[name] !== null) ?? 'nothing');
  }
  for (const type of leftOut) warnings.push(`content of type ${type.slice(0, 60)} was left out`);
  return messageOf(text, reasoning, calls);
}

function messageOf(text: string, reasoning: string, calls: readonly unknown[]): object {
  return {
    role: 'assistant',
    content: text === '' && calls.length > 0 ? null : text,
    refusal: null,
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

function reasoningText({ reasoningText: said }: Fields): string {
  return isFields(said) && typeof said.text === 'string' ? said.text : '';
}

function toolCall({ toolUseId, name, input }: Fields): object {
  return { id: toolUseId, type: 'function', function: { name, arguments: JSON.stringify(input ?? {}) } };
}

/** Cohere answers a list of vectors, or one by type when types were asked for. */
function cohereVectors(embeddings: unknown): number[][] | null {
  const list: unknown = isFields(embeddings) ? embeddings.float : embeddings;
  return Array.isArray(list) && list.length > 0 && list.every(isNumbers) ? (list as number[][]) : null;
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && typeof value[0] === 'number';
}

function embeddingResult(output: Fields, vectors: number[][] | null, facts: AnswerFacts): Result {
  const reading = readEmbeddingUsage(output, facts.inputTokens);
  if (vectors === null) {
    return failed(badResponse(200, `${facts.provider} answered without embeddings.`), facts, reading);
  }
  const tokens = reading.usage?.input_tokens ?? null;
  const list = {
    object: 'list',
    data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })),
    model: facts.model,
    // OpenAI's shape demands a usage; what is unknown is told by the warning and stays unknown to the ledger.
    usage: { prompt_tokens: tokens ?? 0, total_tokens: tokens ?? 0 },
  };
  return success(list, null, usageWarnings(reading), reading, facts);
}

export function usageWarnings({ usage, raw, problems }: UsageReading): string[] {
  if (problems.length > 0) return problems.map((text) => `usage: ${text}`);
  return usage === null && raw === null ? ['usage: not reported'] : [];
}

function success(
  body: object,
  finishReason: string | null,
  warnings: string[],
  reading: UsageReading,
  facts: AnswerFacts,
): Success {
  return {
    ok: true,
    status: 200,
    requestId: facts.requestId,
    body: escapeLineSeparators(JSON.stringify(body)),
    usage: reading.usage,
    rawUsage: reading.raw,
    servedModel: facts.model,
    finishReason,
    warnings,
  };
}

/** One line of a job's output. Only `recordId` joins it: order is not promised, and the echoed request is no key. */
export interface OutputRecord {
  key: string | null;
  result: Result;
}

/**
 * Reads a line of `<input>.jsonl.out`: `modelOutput`, or in its place `error: {errorCode, errorMessage, expired?}`.
 * A line that cannot be read becomes a failure, with key null when it does not say whose it is.
 */
export function readRecord(line: ParsedAnswer, factsOf: (key: string) => AnswerFacts): OutputRecord {
  const record = isFields(line.json) ? line.json : null;
  const key = typeof record?.recordId === 'string' ? record.recordId : null;
  const facts = factsOf(key ?? 'unknown');
  if (record === null) {
    const message = `A line of the output of ${facts.provider} is not a JSON object.`;
    return { key, result: failed(badResponse(200, message), facts) };
  }
  if (isFields(record.error)) {
    const answer = isFields(record.modelOutput) ? resultOf(record.modelOutput, facts) : null;
    return { key, result: withAnswer(failed(failureOfRecord(record.error, facts), facts), answer) };
  }
  const result = resultOf(record.modelOutput, facts);
  if (result.ok && line.isDamaged) {
    result.warnings.push('the answer was not valid UTF-8; bad bytes were replaced by U+FFFD');
  }
  return { key, result };
}

/** `errorCode` is a number, at times a text; `expired` marks records that were not run in time. */
function failureOfRecord(error: Fields, facts: AnswerFacts): Failure {
  const code = Number(error.errorCode);
  const status = Number.isInteger(code) && code >= 400 && code <= 599 ? code : null;
  const isExpired = error.expired === true;
  const said = typeof error.errorMessage === 'string' ? redact(error.errorMessage, facts.secrets) : '';
  const kind = isExpired ? 'expired' : status === null ? 'server_error' : kindOfStatus(status);
  return {
    kind,
    status,
    code: isExpired ? 'batch_expired' : kind,
    message: said === '' ? `${facts.provider} failed the record and did not say why.` : said,
    param: null,
    type: typeOf(kind),
    retryAfterMs: null,
    // What was not run in time was never billed.
    reachedProvider: !isExpired,
  };
}
