import type { Model } from 'openai/resources/models';
import type { Settings } from './settings.ts';

/** vLLM's model card: OpenAI's object and the context length, and the weights behind the name. */
type ModelCard = Model & { max_model_len: number; root: string };

const DEFAULT_CONTEXT = 131_072;
const CREATED = 1_767_225_600;

/** The card of one served model. */
export function modelCard(settings: Settings, id: string): ModelCard {
  return {
    id,
    object: 'model',
    created: CREATED,
    owned_by: 'sandbox',
    root: settings.model_root ?? id,
    max_model_len: settings.max_model_len ?? DEFAULT_CONTEXT,
  };
}

/** The body of GET /v1/models. */
export function modelList(settings: Settings): { object: 'list'; data: ModelCard[] } {
  return { object: 'list', data: settings.models.map((id) => modelCard(settings, id)) };
}
