import { refusal } from '../../src/core/failure.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { RequestLine } from '../../src/protocol/request-line.ts';
import type { Converted } from '../contract.ts';
import { forbiddenParameter, forbiddenParameters } from '../shared/openai-convert.ts';
import { chatEndpoints, inWordsOf, toChatBody } from '../shared/responses-as-chat.ts';
import { claudeBody } from './claude.ts';
import { converseBody } from './converse.ts';
import type { ConvertSettings, NativeBody } from './convert-settings.ts';
import { newDraft } from './draft.ts';
import { embeddingBody } from './embeddings.ts';
import { type KnownModel, knownModel } from './models.ts';
import { applyParameters } from './parameters.ts';
import { Refused } from './refused.ts';

export const bedrockEndpoints: readonly Endpoint[] = [...chatEndpoints, '/v1/embeddings'];

/**
 * A line in OpenAI's shape as the native body of its model: Converse for most chat models, Anthropic Messages for Claude,
 * Titan's or Cohere's own for embeddings. The same body serves both modes; the endpoint stays with it, for the shape of
 * the answer. Linear in the body; never throws.
 */
export function convert(line: RequestLine, model: string, settings: ConvertSettings): Converted {
  const { provider } = settings;
  const known = knownModel(model, settings.profiles);
  if (known === null) {
    const message = `${provider} does not know what '${model}' is. Use a model id, or an inference profile's; name the model behind any other under 'profiles' in its config.`;
    return refuse('unknown_model_family', message, 'model');
  }
  const served = endpointsOf(known);
  if (!served.includes(line.endpoint)) {
    const message = `${provider} serves ${model} at ${served.join(', ')}, not at ${line.endpoint}.`;
    return refuse('endpoint_not_supported', message, 'url');
  }
  const forbidden = Object.keys(line.body).find((name) => forbiddenParameters.has(name));
  if (forbidden !== undefined) return { ok: false, failure: forbiddenParameter(forbidden, provider) };
  try {
    return line.endpoint === '/v1/embeddings'
      ? asEmbedding(line, model, known, settings)
      : asChat(line, model, known, settings);
  } catch (error) {
    if (error instanceof Refused) return { ok: false, failure: inWordsOf(line.endpoint, error.failure) };
    throw error;
  }
}

function asChat(
  { endpoint, body }: RequestLine,
  model: string,
  known: KnownModel,
  settings: ConvertSettings,
): Converted {
  const chat = toChatBody(endpoint, body);
  if (!chat.ok) return chat;
  const made =
    known.family.form === 'claude'
      ? claudeBody(chat.body, model, known, settings)
      : converseOf(chat.body, model, known);
  const warnings = [...chat.warnings, ...made.warnings];
  return { ok: true, request: { endpoint, model, body: made.body }, warnings };
}

function converseOf(body: Readonly<Record<string, unknown>>, model: string, { family }: KnownModel): NativeBody {
  const draft = newDraft(family, model);
  applyParameters(body, draft);
  return { body: converseBody(draft), warnings: draft.warnings };
}

function asEmbedding(line: RequestLine, model: string, known: KnownModel, settings: ConvertSettings): Converted {
  const { body, warnings } = embeddingBody(line.body, known.family, model, settings.embeddingInputType);
  return { ok: true, request: { endpoint: line.endpoint, model, body }, warnings };
}

/** Where OpenAI's clients ask a model. */
function endpointsOf({ family }: KnownModel): readonly Endpoint[] {
  return family.form === 'titan-embed' || family.form === 'cohere-embed' ? ['/v1/embeddings'] : chatEndpoints;
}

function refuse(code: string, message: string, param: string): Converted {
  return { ok: false, failure: refusal('unsupported', code, message, param) };
}
