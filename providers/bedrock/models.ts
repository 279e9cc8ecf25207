import { remembered } from '../shared/remembered.ts';

/** How a model is spoken to. One form serves batch and immediate mode. */
export type ModelForm = 'converse' | 'claude' | 'titan-embed' | 'cohere-embed';

/** How a model of form `converse` is spoken to by batch jobs of type InvokeModel. */
export const invokeForms = [
  'llama2',
  'llama3',
  'llama4',
  'mistral',
  'mistral-chat',
  'openai-chat',
  'nova',
  'titan-text',
] as const;
export type InvokeForm = (typeof invokeForms)[number];

/** The form of the records of a batch job. */
export type JobForm = ModelForm | InvokeForm;

/** What a family of models takes, as data. Sources: the user guide's "Supported models and model features" (Converse) and each model's parameter page. */
export interface ModelFamily {
  /** The model id without region prefix begins so; the first match wins. */
  prefix: string;
  form: ModelForm;
  /** For jobs that do not take Converse; absent: there is no other form. */
  invoke?: InvokeForm;
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
const nova = { ...chat, invoke: 'nova', images: true, documents: true, cache: true, topK: 'nova' } as const;
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
  { prefix: 'amazon.nova-micro-', ...chat, cache: true, topK: 'nova', invoke: 'nova' },
  { prefix: 'amazon.nova-lite-', ...nova },
  { prefix: 'amazon.nova-pro-', ...nova },
  { prefix: 'amazon.nova-premier-', ...nova },
  { prefix: 'amazon.nova-2-lite-', ...nova, effort: 'nova' },
  { prefix: 'amazon.nova-2-pro-', ...nova, effort: 'nova' },
  { prefix: 'amazon.titan-text-', form: 'converse', system: false, invoke: 'titan-text' },
  { prefix: 'amazon.titan-embed-text-v2', form: 'titan-embed', dimensions: [256, 512, 1024] },
  { prefix: 'amazon.titan-embed-text-v1', form: 'titan-embed' },
  { prefix: 'amazon.titan-embed-g1-text-', form: 'titan-embed' },
  { prefix: 'cohere.embed-v4', form: 'cohere-embed', dimensions: [256, 512, 1024, 1536] },
  { prefix: 'cohere.embed-english-v3', form: 'cohere-embed' },
  { prefix: 'cohere.embed-multilingual-v3', form: 'cohere-embed' },
  { prefix: 'cohere.command-r', ...reader },
  { prefix: 'meta.llama2-', form: 'converse', system: true, invoke: 'llama2' },
  { prefix: 'meta.llama3-1-', ...reader, invoke: 'llama3' },
  { prefix: 'meta.llama3-2-11b-', ...reader, images: true, invoke: 'llama3' },
  { prefix: 'meta.llama3-2-90b-', ...reader, images: true, invoke: 'llama3' },
  { prefix: 'meta.llama3-2-', ...reader, invoke: 'llama3' },
  { prefix: 'meta.llama3-3-', ...reader, invoke: 'llama3' },
  { prefix: 'meta.llama3-', ...reader, tools: false, invoke: 'llama3' },
  { prefix: 'meta.llama4-', ...reader, images: true, invoke: 'llama4' },
  { prefix: 'mistral.mistral-7b-', form: 'converse', system: false, documents: true, topK: 'field', invoke: 'mistral' },
  {
    prefix: 'mistral.mixtral-8x7b-',
    form: 'converse',
    system: false,
    documents: true,
    topK: 'field',
    invoke: 'mistral',
  },
  { prefix: 'mistral.mistral-large-3-', ...reader, images: true, schema: true, invoke: 'mistral-chat' },
  { prefix: 'mistral.mistral-large-', ...reader, invoke: 'mistral-chat' },
  { prefix: 'mistral.mistral-small-', ...chat, invoke: 'mistral-chat' },
  { prefix: 'mistral.pixtral-large-', ...reader, images: true, invoke: 'mistral-chat' },
  { prefix: 'mistral.ministral-3-', ...chat, images: true, schema: true, invoke: 'mistral-chat' },
  { prefix: 'mistral.magistral-small-', ...chat, images: true, schema: true, invoke: 'mistral-chat' },
  { prefix: 'mistral.devstral-', ...chat, invoke: 'mistral-chat' },
  { prefix: 'mistral.voxtral-', ...chat, audio: true, schema: true, invoke: 'mistral-chat' },
  { prefix: 'openai.gpt-oss-', ...chat, schema: true, effort: 'field', invoke: 'openai-chat' },
  { prefix: 'deepseek.r1-', ...reader, tools: false },
  { prefix: 'deepseek.v3', ...chat, schema: true, invoke: 'openai-chat' },
  { prefix: 'qwen.qwen3-vl-', ...chat, images: true, schema: true, invoke: 'openai-chat' },
  { prefix: 'qwen.qwen3-', ...chat, schema: true, invoke: 'openai-chat' },
  { prefix: 'ai21.jamba-', ...reader },
  { prefix: 'minimax.minimax-', ...chat, schema: true, invoke: 'openai-chat' },
  { prefix: 'moonshot.kimi-', ...chat, schema: true, invoke: 'openai-chat' },
  { prefix: 'moonshotai.kimi-', ...chat, schema: true, invoke: 'openai-chat' },
  { prefix: 'zai.glm-', ...chat, invoke: 'openai-chat' },
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
  /** The model id, without region. */
  base: string;
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
  return knownName(Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name);
}

const knownName = remembered((stated: string): KnownModel | null => {
  const id = arnPattern.exec(stated)?.[2] ?? stated;
  const dot = id.indexOf('.');
  const region = id.slice(0, Math.max(dot, 0));
  const profile = Object.hasOwn(profiles, region) ? profiles[region] : undefined;
  const base = profile === undefined ? id : id.slice(dot + 1);
  const family = families.find(({ prefix }) => base.startsWith(prefix));
  return family === undefined ? null : { family, base, priced: profile === 'own' ? id : base };
});

/**
 * The form of a batch job's records: the family's own, or InvokeModel's for models that `invoked` names, by the beginning of
 * their ids. null for a model that is not known.
 */
export function jobFormOf(
  name: string,
  {
    profiles: aliases,
    batch_invoke: invoked,
  }: { profiles: Readonly<Record<string, string>>; batch_invoke: readonly string[] },
): JobForm | null {
  const known = knownModel(name, aliases);
  if (known === null) return null;
  const { family, base } = known;
  const isInvoked = invoked.some((prefix) => base.startsWith(prefix) || name === prefix);
  return isInvoked && family.invoke !== undefined ? family.invoke : family.form;
}

export function isInvokeForm(form: string | null): form is InvokeForm {
  return (invokeForms as readonly (string | null)[]).includes(form);
}
