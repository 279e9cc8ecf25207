import { type Failure, toErrorBody } from '../../src/core/failure.ts';
import { escapeLineSeparators } from '../../src/core/jsonl.ts';
import type { UsageReading } from '../../src/core/usage.ts';
import type { Failed, Result, Success } from '../contract.ts';
import type { AnswerContext } from '../shared/answer.ts';
import { isFields } from '../shared/error-body.ts';
import { usageWarnings } from '../shared/openai-results.ts';
import { badResponse } from '../shared/openai-status.ts';
import { redact } from '../shared/redact.ts';
import { tierWarnings } from '../shared/service-tier.ts';
import type { Embedded, EmbeddingRequest } from './embeddings.ts';
import { toChoice } from './gemini-answer.ts';
import { tierOf, toOpenAIUsage, usageFromEmbeddings, usageFromGemini } from './usage.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What an answer does not say itself. */
export interface ResultContext extends AnswerContext {
  /** The model that was asked for. */
  model: string;
  requestId: string | null;
}

const noUsage: UsageReading = { usage: null, raw: null, problems: [] };

/** The result of a failure, with what it cost if that is known. */
export function failedResult(failure: Failure, context: { requestId: string | null }, reading = noUsage): Failed {
  const body = failure.status === null ? null : escapeLineSeparators(JSON.stringify({ error: toErrorBody(failure) }));
  return { ok: false, failure, requestId: context.requestId, body, usage: reading.usage, rawUsage: reading.raw };
}

/** The result that a generateContent answer means. Never throws. */
export function resultOfGemini(answer: unknown, context: ResultContext): Result {
  const { provider } = context;
  if (!isFields(answer)) return failedResult(badResponse(200, `${provider} answered 200 without an answer.`), context);
  const reading = usageFromGemini(answer);
  const id = answerIdOf(answer, context);
  const serviceTier = tierOf(answer.usageMetadata);
  const usageSaid = usageWarnings('/v1/chat/completions', reading.raw, reading.problems);
  const warnings = new Set([...usageSaid, ...tierWarnings(serviceTier)]);
  const candidates: unknown[] = Array.isArray(answer.candidates) ? answer.candidates : [];
  const choices: Record<string, unknown>[] = [];
  for (const [index, candidate] of candidates.entries()) {
    const read = toChoice(candidate, index, id, warnings);
    if (!read.ok) return failedResult(unanswered(read.reason, context), context, reading);
    choices.push(read.choice);
  }
  if (choices.length === 0) {
    const refused = blockedChoice(answer.promptFeedback, context);
    if (refused === null)
      return failedResult(badResponse(200, `${provider} answered without candidates.`), context, reading);
    choices.push(refused);
  }
  const servedModel = typeof answer.modelVersion === 'string' ? servedName(answer.modelVersion) : null;
  const body = {
    id: `chatcmpl-${id}`,
    object: 'chat.completion',
    created: createdAt(answer.createTime, context),
    model: servedModel ?? context.model,
    choices,
    usage: toOpenAIUsage(answer.usageMetadata) ?? undefined,
  };
  return succeeded(body, { reading, servedModel, serviceTier, warnings, requestId: context.requestId });
}

/** What makes the ids of an answer and its calls. */
export function answerIdOf({ responseId }: Fields, { requestId }: { requestId: string | null }): string {
  return typeof responseId === 'string' ? responseId : (requestId ?? 'unknown');
}

/** A prompt that was blocked is an answer without text, billed for its input. */
function blockedChoice(feedback: unknown, context: ResultContext): Record<string, unknown> | null {
  if (!isFields(feedback) || typeof feedback.blockReason !== 'string') return null;
  const { blockReason, blockReasonMessage } = feedback;
  const words = typeof blockReasonMessage === 'string' ? blockReasonMessage : `The prompt was blocked: ${blockReason}`;
  const message = { role: 'assistant', content: null, refusal: redact(words, context.secrets) };
  return { index: 0, message, finish_reason: 'content_filter', logprobs: null };
}

/** A candidate that ended without an answer: broken calls and the like may go well the next time. */
function unanswered(reason: string, { provider }: ResultContext): Failure {
  const word = reason.toLowerCase().slice(0, 60);
  const failure = badResponse(200, `${provider} ended the generation without an answer: ${word}.`, word);
  return reason === 'LANGUAGE' ? { ...failure, kind: 'invalid_request', type: 'invalid_request_error' } : failure;
}

/** The model that a `modelVersion` names. */
export function servedName(version: string): string {
  return version.replace(/@.*$/, '');
}

/** Unix seconds of an answer's `createTime`; of now where it tells none. */
export function createdAt(stated: unknown, { nowMs }: ResultContext): number {
  const time = typeof stated === 'string' ? Date.parse(stated) : Number.NaN;
  return Math.floor((Number.isNaN(time) ? nowMs : time) / 1000);
}

interface Extras {
  reading: UsageReading;
  servedModel: string | null;
  serviceTier?: string | null;
  warnings: Set<string>;
  requestId: string | null;
}

function succeeded(
  body: Record<string, unknown>,
  { reading, servedModel, serviceTier = null, warnings, requestId }: Extras,
): Success {
  const [first] = Array.isArray(body.choices) ? body.choices : [];
  return {
    ok: true,
    status: 200,
    requestId,
    body: escapeLineSeparators(JSON.stringify(body)),
    usage: reading.usage,
    rawUsage: reading.raw,
    servedModel,
    serviceTier,
    finishReason: isFields(first) && typeof first.finish_reason === 'string' ? first.finish_reason : null,
    warnings: [...warnings],
  };
}

/** The result of the embeddings of one request, in the order of its texts. */
export function resultOfEmbeddings(
  embedded: readonly Embedded[],
  request: Pick<EmbeddingRequest, 'encoding' | 'dimensions'>,
  context: ResultContext,
): Result {
  const reading = usageFromEmbeddings(embedded.map(({ tokens }) => tokens));
  const { dimensions, encoding } = request;
  const short = embedded.find(({ values }) => dimensions !== null && values.length < dimensions);
  if (short !== undefined) {
    const message = `${context.provider} answered an embedding of ${short.values.length} dimensions instead of ${dimensions}.`;
    return failedResult(badResponse(200, message), context, reading);
  }
  const warnings = new Set<string>();
  if (reading.raw === null) warnings.add('usage: not reported');
  if (embedded.some(({ isTruncated }) => isTruncated))
    warnings.add('a text was too long: only its beginning is embedded');
  const data = embedded.map(({ values }, index) => {
    const kept = dimensions === null ? values : values.slice(0, dimensions);
    return { object: 'embedding', index, embedding: encoding === 'base64' ? toBase64(kept) : kept };
  });
  const usage = reading.raw ?? undefined;
  const body = { object: 'list', data, model: context.model, usage };
  return succeeded(body, { reading, servedModel: context.model, warnings, requestId: context.requestId });
}

/** Little-endian 32-bit floats, as OpenAI encodes them. */
function toBase64(values: readonly number[]): string {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, index) => {
    view.setFloat32(index * 4, value, true);
  });
  const bytes = new Uint8Array(view.buffer);
  let text = '';
  for (let start = 0; start < bytes.length; start += 4096)
    text += String.fromCharCode(...bytes.subarray(start, start + 4096));
  return btoa(text);
}
