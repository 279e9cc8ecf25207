import type { GeminiRequest, GeminiSafetySetting } from './gemini.ts';
import { toGenerationConfig } from './gemini-generation.ts';
import { toConversation } from './gemini-messages.ts';
import { toFunctions, toToolConfig } from './gemini-tools.ts';
import type { GeminiFamily } from './models.ts';
import { invalid, unsupported } from './refused.ts';

/** What the operator set for every request. */
export interface GeminiOptions {
  provider: string;
  fileBuckets: readonly string[];
  safetySettings: readonly GeminiSafetySetting[];
}

type Body = Readonly<Record<string, unknown>>;

const mapped: ReadonlySet<string> = new Set([
  'frequency_penalty',
  'logprobs',
  'max_completion_tokens',
  'max_tokens',
  'messages',
  'model',
  'n',
  'presence_penalty',
  'reasoning_effort',
  'response_format',
  'seed',
  'stop',
  'temperature',
  'tool_choice',
  'tools',
  'top_k',
  'top_logprobs',
  'top_p',
]);

/** What does not change the answer: bookkeeping, caching and speed. */
const leftOut: ReadonlySet<string> = new Set([
  'metadata',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
  'store',
  'user',
]);

/** Parameters without a word in Gemini, and whether a value asks for what happens anyway. */
const foreign: Readonly<Record<string, (value: unknown) => boolean>> = {
  audio: () => false,
  function_call: (value) => value === 'none',
  functions: (value) => Array.isArray(value) && value.length === 0,
  logit_bias: (value) => typeof value === 'object' && Object.keys(value ?? {}).length === 0,
  modalities: (value) => Array.isArray(value) && value.every((one) => one === 'text'),
  parallel_tool_calls: (value) => value === true,
  service_tier: (value) => value === 'auto' || value === 'default',
  verbosity: (value) => value === 'medium',
  web_search_options: () => false,
};

/** An OpenAI chat body as a generateContent request. Refuses by throwing Refused; `warnings` takes what was left out. */
export function toGemini(
  body: Body,
  family: GeminiFamily,
  options: GeminiOptions,
  warnings: Set<string>,
): GeminiRequest {
  checkNames(body, options, warnings);
  const { fileBuckets, safetySettings } = options;
  const { signedCalls } = family;
  const { contents, system } = toConversation(body.messages, { fileBuckets, warnings, signedCalls });
  const functions = toFunctions(body.tools, family, warnings);
  const toolConfig = toToolConfig(body.tool_choice, functions);
  const generationConfig = toGenerationConfig(body, family, warnings);
  return {
    contents,
    ...(system !== null && { systemInstruction: { parts: [{ text: system }] } }),
    ...(functions !== null && { tools: [{ functionDeclarations: functions }] }),
    ...(toolConfig !== null && { toolConfig }),
    ...(Object.keys(generationConfig).length > 0 && { generationConfig }),
    ...(safetySettings.length > 0 && { safetySettings: [...safetySettings] }),
  } satisfies GeminiRequest;
}

/** Every parameter is one of these lists' or is refused by name: an unknown one could change the answer. */
function checkNames(body: Body, { provider }: GeminiOptions, warnings: Set<string>): void {
  for (const [name, value] of Object.entries(body)) {
    if (mapped.has(name) || value === undefined || value === null) continue;
    if (name === 'stream' || name === 'stream_options') {
      if (value === true) warnings.add('stream was left out: a batch answers each request as a whole');
      continue;
    }
    if (leftOut.has(name)) {
      warnings.add(`${name} was left out: ${provider} does not know it`);
      continue;
    }
    if (Object.hasOwn(foreign, name) && foreign[name]?.(value) === true) continue;
    if (name === 'function_call' || name === 'functions')
      unsupported(name, `'${name}' is OpenAI's former form: use tools.`);
    unsupported(name, `Gemini has no parameter '${name}'. Remove it, or list it in the target's drop_params.`);
  }
  if (body.max_tokens !== undefined && typeof body.max_tokens === 'number' && body.max_tokens < 1) {
    invalid('max_tokens', 'max_tokens must be at least 1.');
  }
}
