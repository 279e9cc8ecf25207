/** How a model is spoken to. One form serves batch and immediate mode. */
export type ModelForm = 'converse' | 'claude' | 'titan-embed' | 'cohere-embed';

/** What a family of models takes, as data. Sources: the user guide's "Supported models and model features" (Converse) and each model's parameter page. */
export interface ModelFamily {
  /** The model id without region prefix begins so; the first match wins. */
  prefix: string;
  form: ModelForm;
  /** false: a system message is put in front of the first user message, as the model's own template does. */
  system?: boolean;
  tools?: boolean;
  images?: boolean;
  documents?: boolean;
  audio?: boolean;
  /** Takes `outputConfig.textFormat` (structured output). */
  schema?: boolean;
  /** Takes cache points. */
  cache?: boolean;
  /** Where `reasoning_effort` goes: a field of that name, or Nova 2's `reasoningConfig`. */
  effort?: 'field' | 'nova';
  /** Where `top_k` goes: a field of that name, or Nova's `inferenceConfig`. */
  topK?: 'field' | 'nova';
  /** Values of `dimensions` that an embedding model takes; absent: none. */
  dimensions?: readonly number[];
}

const chat = { form: 'converse', system: true, tools: true } as const;
const nova = { ...chat, images: true, documents: true, cache: true, topK: 'nova' } as const;
const reader = { ...chat, documents: true } as const;

export const families: readonly ModelFamily[] = [
  {
    prefix: 'anthropic.claude-',
    form: 'claude',
    system: true,
    tools: true,
    images: true,
    documents: true,
    cache: true,
  },
  { prefix: 'amazon.nova-micro-', ...chat, cache: true, topK: 'nova' },
  { prefix: 'amazon.nova-lite-', ...nova },
  { prefix: 'amazon.nova-pro-', ...nova },
  { prefix: 'amazon.nova-premier-', ...nova },
  { prefix: 'amazon.nova-2-lite-', ...nova, effort: 'nova' },
  { prefix: 'amazon.nova-2-pro-', ...nova, effort: 'nova' },
  { prefix: 'amazon.titan-text-', form: 'converse', system: false },
  { prefix: 'amazon.titan-embed-text-v2', form: 'titan-embed', dimensions: [256, 512, 1024] },
  { prefix: 'amazon.titan-embed-text-v1', form: 'titan-embed' },
  { prefix: 'amazon.titan-embed-g1-text-', form: 'titan-embed' },
  { prefix: 'cohere.embed-v4', form: 'cohere-embed', dimensions: [256, 512, 1024, 1536] },
  { prefix: 'cohere.embed-english-v3', form: 'cohere-embed' },
  { prefix: 'cohere.embed-multilingual-v3', form: 'cohere-embed' },
  { prefix: 'cohere.command-r', ...reader },
  { prefix: 'meta.llama2-', form: 'converse', system: true },
  { prefix: 'meta.llama3-1-', ...reader },
  { prefix: 'meta.llama3-2-11b-', ...reader, images: true },
  { prefix: 'meta.llama3-2-90b-', ...reader, images: true },
  { prefix: 'meta.llama3-2-', ...reader },
  { prefix: 'meta.llama3-3-', ...reader },
  { prefix: 'meta.llama3-', ...reader, tools: false },
  { prefix: 'meta.llama4-', ...reader, images: true },
  { prefix: 'mistral.mistral-7b-', form: 'converse', system: false, documents: true, topK: 'field' },
  { prefix: 'mistral.mixtral-8x7b-', form: 'converse', system: false, documents: true, topK: 'field' },
  { prefix: 'mistral.mistral-large-3-', ...reader, images: true, schema: true },
  { prefix: 'mistral.mistral-large-', ...reader },
  { prefix: 'mistral.mistral-small-', ...chat },
  { prefix: 'mistral.pixtral-large-', ...reader, images: true },
  { prefix: 'mistral.ministral-3-', ...chat, images: true, schema: true },
  { prefix: 'mistral.magistral-small-', ...chat, images: true, schema: true },
  { prefix: 'mistral.devstral-', ...chat },
  { prefix: 'mistral.voxtral-', ...chat, audio: true, schema: true },
  { prefix: 'openai.gpt-oss-', ...chat, schema: true, effort: 'field' },
  { prefix: 'deepseek.r1-', ...reader, tools: false },
  { prefix: 'deepseek.v3', ...chat, schema: true },
  { prefix: 'qwen.qwen3-vl-', ...chat, images: true, schema: true },
  { prefix: 'qwen.qwen3-', ...chat, schema: true },
  { prefix: 'ai21.jamba-', ...reader },
  { prefix: 'minimax.minimax-', ...chat, schema: true },
  { prefix: 'moonshot.kimi-', ...chat, schema: true },
  { prefix: 'moonshotai.kimi-', ...chat, schema: true },
  { prefix: 'zai.glm-', ...chat },
  { prefix: 'writer.palmyra-x', ...reader },
];

/** Prefixes of the system's inference profiles; `own` = its prices are listed under the whole name. */
const profiles: Readonly<Record<string, 'base' | 'own'>> = {
  us: 'base',
  eu: 'base',
  apac: 'base',
  jp: 'base',
  au: 'base',
  ca: 'base',
  in: 'base',
  global: 'own',
  'us-gov': 'own',
};

export interface KnownModel {
  family: ModelFamily;
  /** The name in the price file. */
  priced: string;
}

/** Resource types whose ARN ends with a model or profile name that says what it is. */
const arnPattern =
  /^arn:aws(?:-[a-z-]+)?:bedrock:[a-z0-9-]*:\d*:(foundation-model|inference-profile|custom-model)\/([^/]+)(?:\/[a-z0-9]+)?$/;

/**
 * What is known of a model: a model id, an inference profile's id, or an ARN of one. `aliases` gives the model behind an
 * application inference profile or a custom name. null: no family in the table.
 */
export function knownModel(name: string, aliases: Readonly<Record<string, string>>): KnownModel | null {
  const stated = Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name;
  const id = arnPattern.exec(stated)?.[2] ?? stated;
  const dot = id.indexOf('.');
  const region = id.slice(0, Math.max(dot, 0));
  const profile = Object.hasOwn(profiles, region) ? profiles[region] : undefined;
  const base = profile === undefined ? id : id.slice(dot + 1);
  const family = families.find(({ prefix }) => base.startsWith(prefix));
  return family === undefined ? null : { family, priced: profile === 'own' ? id : base };
}
