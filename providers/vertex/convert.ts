import { refusal } from '../../src/core/failure.ts';
import type { AnswerLimit } from '../../src/core/lane.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { RequestLine } from '../../src/protocol/request-line.ts';
import type { Converted } from '../contract.ts';
import { toMessages } from '../shared/anthropic-messages.ts';
import { familyOfModel } from '../shared/anthropic-messages-families.ts';
import { answerLimitOf } from '../shared/anthropic-messages-parameters.ts';
import { forbiddenParameter, forbiddenParameters } from '../shared/openai-convert.ts';
import { chatEndpoints, inWordsOf, toChatBody } from '../shared/responses-as-chat.ts';
import { toEmbeddings } from './embeddings.ts';
import { type GeminiOptions, toGemini } from './gemini-convert.ts';
import { familyOf } from './models.ts';
import { Refused } from './refused.ts';

export const endpoints: readonly Endpoint[] = [...chatEndpoints, '/v1/embeddings'];

/** The version of the Messages API on this service; it stands in the body, where Anthropic has the model. */
export const claudeVersion = 'vertex-2023-10-16';

/** A line as generateContent, rawPredict or predict takes it. Pure; never throws. */
export function convert(line: RequestLine, model: string, options: GeminiOptions): Converted {
  try {
    return convertLine(line, model, options);
  } catch (error) {
    // Arguments of tool calls are JSON of their own, which no limit on the line's depth has seen.
    if (!(error instanceof RangeError)) throw error;
    const failure = refusal('invalid_request', 'invalid_value', 'the request is nested too deeply.', 'messages');
    return { ok: false, failure };
  }
}

function convertLine(line: RequestLine, model: string, options: GeminiOptions): Converted {
  const { endpoint } = line;
  if (!endpoints.includes(endpoint)) {
    return refuse('endpoint_not_supported', `${options.provider} does not serve ${endpoint}.`, 'url');
  }
  const family = familyOf(model);
  if (family === null) {
    const message = `'${model}' belongs to no model family that ${options.provider} can be asked in OpenAI's terms: text models of Gemini and Claude, and text embeddings.`;
    return refuse('model_not_supported', message, 'model');
  }
  if ((family.kind === 'embedding') !== (endpoint === '/v1/embeddings')) {
    const use = family.kind === 'embedding' ? '/v1/embeddings' : '/v1/chat/completions';
    return refuse('endpoint_not_supported', `'${model}' serves ${use}, not ${endpoint}.`, 'url');
  }
  const forbidden = Object.keys(line.body).find((name) => forbiddenParameters.has(name));
  if (forbidden !== undefined) return { ok: false, failure: forbiddenParameter(forbidden, options.provider) };
  if (family.kind === 'embedding') {
    return written(line, model, (warnings) => toEmbeddings(line.body, family, options.provider, warnings));
  }
  const chat = toChatBody(endpoint, line.body);
  if (!chat.ok) return chat;
  const asked = { ...line, body: chat.body };
  const converted =
    family.kind === 'claude'
      ? convertToClaude(asked, model, options)
      : written(asked, model, (warnings) => toGemini(asked.body, family, options, warnings));
  if (!converted.ok) return { ok: false, failure: inWordsOf(endpoint, converted.failure) };
  return { ...converted, warnings: [...chat.warnings, ...converted.warnings] };
}

function written(line: Line, model: string, write: (warnings: Set<string>) => object): Converted {
  const warnings = new Set<string>();
  try {
    const body = JSON.stringify(write(warnings));
    return { ok: true, request: { endpoint: line.endpoint, model, body }, warnings: [...warnings] };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, failure: error.failure };
    throw error;
  }
}

type Line = Pick<RequestLine, 'endpoint'> & { body: Readonly<Record<string, unknown>> };

/** See Provider; of Claude's models alone. */
export function answerLimit(model: string): AnswerLimit | null {
  const family = familyOf(model)?.kind === 'claude' ? familyOfModel(model) : null;
  return family && answerLimitOf(family);
}

function convertToClaude(line: Line, model: string, { provider }: GeminiOptions): Converted {
  const family = familyOfModel(model);
  if (family === null) {
    return refuse('model_not_supported', `'${model}' is no Claude model that ${provider} knows.`, 'model');
  }
  const mapped = toMessages(line.body, {
    provider,
    family,
    head: { anthropic_version: claudeVersion },
    // Google's pages on Claude: images and documents in base64; addresses are refused.
    fetchesUrls: false,
    caches: true,
    hasServiceTiers: false,
  });
  if (!mapped.ok) return mapped;
  const { body, warnings } = mapped;
  return { ok: true, request: { endpoint: line.endpoint, model, body: JSON.stringify(body) }, warnings };
}

function refuse(code: string, message: string, param: string): Converted {
  return { ok: false, failure: refusal('unsupported', code, message, param) };
}
