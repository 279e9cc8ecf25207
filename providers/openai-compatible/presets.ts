import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { CompatibleDialect } from '../shared/openai-batch-dialect.ts';

/** How one known service differs from OpenAI. */
export interface Preset {
  /** null where every operator has an own one. */
  baseUrl: string | null;
  /** Provider id of the price files; null when none has its prices. */
  priceProvider: string | null;
  endpoints: readonly Endpoint[];
  /** Refused by name: leaving them out would change the answer, sending them is an error or is silently without effect. */
  refused: readonly string[];
  /** Left out with a warning: they do not change the answer. */
  ignored?: readonly string[];
  renamed?: Readonly<Record<string, string>>;
  /** Sent with every call. */
  headers?: Readonly<Record<string, string>>;
  /** False where anyone may call. */
  needsKey?: boolean;
  /** The dialect of its batch service; absent where it has none that resembles OpenAI's. */
  batch?: CompatibleDialect;
}

const chat = '/v1/chat/completions';
const completions = '/v1/completions';
const embeddings = '/v1/embeddings';
const responses = '/v1/responses';
/** OpenAI's bookkeeping parameters, which no other service keeps books by. */
const bookkeeping = ['metadata', 'store', 'service_tier', 'safety_identifier', 'prompt_cache_key', 'user'];

export const presets = {
  // https://console.groq.com/docs/openai: these get a 400.
  groq: {
    baseUrl: 'https://api.groq.com/openai/v1',
    priceProvider: 'groq',
    endpoints: [chat, responses],
    refused: ['logit_bias', 'logprobs', 'top_logprobs', 'n'],
    batch: 'groq',
  },
  // https://docs.together.ai/docs/inference/openai-compatibility
  together: {
    baseUrl: 'https://api.together.ai/v1',
    priceProvider: 'together-ai',
    endpoints: [chat, completions, embeddings],
    refused: [],
    batch: 'together',
  },
  // https://docs.mistral.ai/api: unknown fields get a 422 ("extra_forbidden"); the seed has another name.
  mistral: {
    baseUrl: 'https://api.mistral.ai/v1',
    priceProvider: 'mistral',
    endpoints: [chat, embeddings],
    refused: ['logit_bias', 'logprobs', 'top_logprobs'],
    ignored: bookkeeping,
    renamed: { seed: 'random_seed', max_completion_tokens: 'max_tokens' },
    batch: 'mistral',
  },
  // https://api-docs.deepseek.com/api/create-chat-completion
  deepseek: {
    baseUrl: 'https://api.deepseek.com/v1',
    priceProvider: 'deepseek',
    endpoints: [chat],
    refused: ['logit_bias', 'n', 'seed'],
    ignored: bookkeeping,
    renamed: { max_completion_tokens: 'max_tokens' },
  },
  // https://openrouter.ai/docs/api-reference/overview; it routes to many services, so it takes what any of them takes.
  openrouter: {
    baseUrl: 'https://openrouter.ai/api/v1',
    priceProvider: null,
    endpoints: [chat, completions, embeddings, responses],
    refused: [],
    headers: { 'x-title': 'Weir' },
  },
  // https://docs.x.ai/docs/api-reference
  xai: {
    baseUrl: 'https://api.x.ai/v1',
    priceProvider: 'x-ai',
    endpoints: [chat, completions, responses],
    refused: [],
  },
  // https://docs.doubleword.ai: OpenAI's API, made for batches.
  doubleword: {
    baseUrl: 'https://api.doubleword.ai/v1',
    priceProvider: null,
    endpoints: [chat, embeddings, responses],
    refused: [],
    batch: 'doubleword',
  },
  // Another Weir: it refuses itself what its targets cannot take.
  weir: {
    baseUrl: null,
    priceProvider: null,
    endpoints: [chat, completions, embeddings, responses, '/v1/moderations'],
    refused: [],
    batch: 'weir',
  },
  // ollama/ollama docs/api/openai-compatibility.mdx: unknown fields are ignored in silence.
  ollama: {
    baseUrl: 'http://127.0.0.1:11434/v1',
    priceProvider: null,
    endpoints: [chat, completions, embeddings, responses],
    refused: ['tool_choice', 'logit_bias', 'n', 'logprobs', 'top_logprobs'],
    ignored: ['user'],
    needsKey: false,
  },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof presets;
export const presetNames = Object.keys(presets) as PresetName[];

export function findPreset(name: PresetName | undefined): Preset | null {
  return name === undefined ? null : presets[name];
}
