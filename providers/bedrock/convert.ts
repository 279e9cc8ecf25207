import { refusal } from '../../src/core/failure.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { RequestLine } from '../../src/protocol/request-line.ts';
import type { Converted } from '../contract.ts';
import { claudeBody } from './claude.ts';
import { converseBody } from './converse.ts';
import type { ConvertSettings } from './convert-settings.ts';
import { newDraft } from './draft.ts';
import { embeddingBody } from './embeddings.ts';
import { type KnownModel, knownModel } from './models.ts';
import { applyParameters } from './parameters.ts';
import { Refused } from './refused.ts';

export const bedrockEndpoints: readonly Endpoint[] = ['/v1/chat/completions', '/v1/embeddings'];

/**
 * A line in OpenAI's shape as the native body of its model: Converse for most chat models, Anthropic Messages for Claude,
 * Titan's or Cohere's own for embeddings. The same body serves both modes. Linear in the body; never throws.
 */
export function convert(line: RequestLine, model: string, settings: ConvertSettings): Converted {
  const known = knownModel(model, settings.profiles);
  if (known === null) {
    const message = `${settings.provider} does not know what '${model}' is. Use a model id, or an inference profile's; name the model behind any other under 'profiles' in its config.`;
    return refuse('unsupported', 'unknown_model_family', message, 'model');
  }
  if (endpointOf(known) !== line.endpoint) {
    const message = `${settings.provider} serves ${model} at ${endpointOf(known)} only, not at ${line.endpoint}.`;
    return refuse('unsupported', 'endpoint_not_supported', message, 'url');
  }
  try {
    return converted(line, model, known, settings);
  } catch (error) {
    if (error instanceof Refused) return { ok: false, failure: error.failure };
    throw error;
  }
}

function converted(line: RequestLine, model: string, known: KnownModel, settings: ConvertSettings): Converted {
  const { endpoint, body } = line;
  const { family, priced } = known;
  if (family.form === 'claude') return claudeBody(line, model, priced, settings);
  if (family.form === 'converse') {
    const draft = newDraft(family, model);
    applyParameters(body, draft);
    return { ok: true, request: { endpoint, model, body: converseBody(draft) }, warnings: draft.warnings };
  }
  const made = embeddingBody(body, family, model, settings.embeddingInputType);
  return { ok: true, request: { endpoint, model, body: made.body }, warnings: made.warnings };
}

/** Where OpenAI's clients ask a model. */
export function endpointOf({ family }: KnownModel): Endpoint {
  return family.form === 'titan-embed' || family.form === 'cohere-embed' ? '/v1/embeddings' : '/v1/chat/completions';
}

function refuse(kind: 'unsupported', code: string, message: string, param: string): Converted {
  return { ok: false, failure: refusal(kind, code, message, param) };
}
