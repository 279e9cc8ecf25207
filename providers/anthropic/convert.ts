import { refusal } from '../../src/core/failure.ts';
import type { AnswerLimit } from '../../src/core/lane.ts';
import type { RequestLine } from '../../src/protocol/request-line.ts';
import type { Converted } from '../contract.ts';
import { toMessages } from '../shared/anthropic-messages.ts';
import { type ClaudeFamily, familyNamed, familyOfModel } from '../shared/anthropic-messages-families.ts';
import { answerLimitOf } from '../shared/anthropic-messages-parameters.ts';
import { forbiddenParameter, forbiddenParameters } from '../shared/openai-convert.ts';
import { chatEndpoints, inWordsOf, toChatBody } from '../shared/responses-as-chat.ts';

/** What the config says about models. */
export interface ConvertSettings {
  provider: string;
  families: Readonly<Record<string, string>>;
  defaultMaxTokens: number | undefined;
}

/** A line as a body of the Messages API; the endpoint stays with it, for the shape of the answer. */
export function convert(line: RequestLine, model: string, settings: ConvertSettings): Converted {
  const { provider } = settings;
  if (!chatEndpoints.includes(line.endpoint)) {
    const message = `${provider} does not serve ${line.endpoint}.`;
    return { ok: false, failure: refusal('unsupported', 'endpoint_not_supported', message, 'url') };
  }
  const family = familyOf(model, settings);
  if (family === null) {
    const message = `${provider} does not know the family of the model '${model}'. Name it under 'families' in the config.`;
    return { ok: false, failure: refusal('unsupported', 'model_not_supported', message, 'model') };
  }
  const forbidden = Object.keys(line.body).find((name) => forbiddenParameters.has(name));
  if (forbidden !== undefined) return { ok: false, failure: forbiddenParameter(forbidden, provider) };
  const chat = toChatBody(line.endpoint, line.body);
  if (!chat.ok) return chat;
  const mapped = toMessages(chat.body, {
    provider,
    family,
    head: { model },
    fetchesUrls: true,
    caches: true,
    hasServiceTiers: true,
    defaultMaxTokens: settings.defaultMaxTokens,
  });
  if (!mapped.ok) return { ok: false, failure: inWordsOf(line.endpoint, mapped.failure) };
  const request = { endpoint: line.endpoint, model, body: JSON.stringify(mapped.body) };
  return { ok: true, request, warnings: [...chat.warnings, ...mapped.warnings] };
}

/** See Provider. */
export function answerLimit(model: string, settings: ConvertSettings): AnswerLimit | null {
  const family = familyOf(model, settings);
  return family && answerLimitOf(family, settings.defaultMaxTokens);
}

function familyOf(model: string, { families }: ConvertSettings): ClaudeFamily | null {
  const named = Object.hasOwn(families, model) ? families[model] : undefined;
  return named === undefined ? familyOfModel(model) : familyNamed(named);
}
