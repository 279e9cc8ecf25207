import type { AnswerLimit } from '../../src/core/lane.ts';
import type { ClaudeFamily } from './anthropic-messages-families.ts';
import { type Fields, type Mapping, refuse, refuseInvalid, warn } from './anthropic-messages-mapping.ts';

/** Without a wish of the request or the operator: long answers fit, and a runaway one has an end. */
const usualMaxTokens = 32_000;

/** Parameters that change the answer and have no equivalent, with the values that ask for what happens anyway. */
const withoutEquivalent: Readonly<Record<string, readonly unknown[]>> = {
  audio: [],
  best_of: [1],
  frequency_penalty: [0],
  function_call: [],
  functions: [],
  logprobs: [false],
  n: [1],
  presence_penalty: [0],
  top_logprobs: [0],
  verbosity: ['medium'],
  web_search_options: [],
};

/** Parameters that do not change the answer and have no equivalent, with the values that are not worth a warning. */
const dropped: Readonly<Record<string, readonly unknown[]>> = {
  metadata: [],
  moderation: [],
  prediction: [],
  prompt_cache_key: [],
  prompt_cache_options: [],
  prompt_cache_retention: [],
  seed: [],
  store: [false],
  stream: [false],
  stream_options: [],
};

const mapped: ReadonlySet<string> = new Set([
  'logit_bias',
  'max_completion_tokens',
  'max_tokens',
  'messages',
  'modalities',
  'model',
  'parallel_tool_calls',
  'reasoning_effort',
  'response_format',
  'safety_identifier',
  'service_tier',
  'stop',
  'temperature',
  'thinking',
  'tool_choice',
  'tools',
  'top_k',
  'top_p',
  'user',
]);

/** Refuses by name what cannot be sent, and warns of what is left out although somebody could miss it. */
export function checkParameters(body: Fields, mapping: Mapping): void {
  const { provider, refused } = mapping.options;
  for (const name of Object.keys(body)) {
    const value = body[name];
    if (value === null || value === undefined) continue;
    if (refused?.has(name)) refuse(name, `${provider} does not take '${name}'. ${remedy(name)}`);
    if (mapped.has(name)) continue;
    if (Object.hasOwn(withoutEquivalent, name)) {
      if (withoutEquivalent[name]?.includes(value) === true) continue;
      refuse(name, `Claude has no equivalent of '${name}'. ${remedy(name)}`);
    }
    if (!Object.hasOwn(dropped, name))
      refuse(name, `${provider} does not know the parameter '${name}'. ${remedy(name)}`);
    if (dropped[name]?.includes(value) !== true) warn(mapping, `${name} was left out: Claude has no equivalent`);
  }
  checkValues(body);
}

function remedy(name: string): string {
  return `Remove it, or list '${name}' in the target's drop_params.`;
}

function checkValues({ logit_bias: bias, modalities }: Fields): void {
  const isEmpty = typeof bias === 'object' && bias !== null && Object.keys(bias).length === 0;
  if (bias !== undefined && bias !== null && !isEmpty) {
    refuse('logit_bias', `Claude has no equivalent of 'logit_bias'. ${remedy('logit_bias')}`);
  }
  if (modalities === undefined || modalities === null) return;
  if (!Array.isArray(modalities) || modalities.some((modality) => modality !== 'text')) {
    refuse('modalities', `Claude answers in text only: 'modalities' may be ["text"].`);
  }
}

/** The limits of a family's answers: what a request that names none is given, and the most. */
export function answerLimitOf({ maxOutput }: ClaudeFamily, defaultMaxTokens?: number): AnswerLimit {
  return { usual: Math.min(defaultMaxTokens ?? usualMaxTokens, maxOutput), most: maxOutput };
}

/** `max_tokens`, which Messages demands: the request's, the operator's, or the usual one. */
export function maxTokensOf(body: Fields, mapping: Mapping): number {
  const { family, defaultMaxTokens } = mapping.options;
  const name =
    body.max_completion_tokens === undefined || body.max_completion_tokens === null
      ? 'max_tokens'
      : 'max_completion_tokens';
  const asked = body[name];
  if (asked === undefined || asked === null) {
    const limit = answerLimitOf(family, defaultMaxTokens).usual;
    warn(mapping, `max_tokens was set to ${limit}: the Messages API demands a limit, and the request names none`);
    return limit;
  }
  if (typeof asked !== 'number' || !Number.isSafeInteger(asked) || asked < 1) {
    return refuseInvalid(name, `'${name}' must be a whole number of at least 1.`);
  }
  if (asked <= family.maxOutput) return asked;
  warn(mapping, `${name} was lowered from ${asked} to ${family.maxOutput}: ${family.name} writes no more`);
  return family.maxOutput;
}

/** `temperature`, `top_p` and `top_k`, as far as the family and its thinking allow them. */
export function samplingOf(body: Fields, isThinking: boolean, mapping: Mapping): Record<string, number> {
  const { family } = mapping.options;
  const temperature = numberOf(body, 'temperature', 2);
  const topP = numberOf(body, 'top_p', 1);
  const topK = numberOf(body, 'top_k', Number.MAX_SAFE_INTEGER);
  // 1 is the default of both; the newer families take nothing else, and not always that.
  const sendsTemperature = temperature !== undefined && temperature !== 1;
  const sendsTopP = topP !== undefined && topP < (family.sampling === 'none' ? 0.99 : 1);
  if (family.sampling === 'none') {
    const name = sendsTemperature ? 'temperature' : sendsTopP ? 'top_p' : topK !== undefined ? 'top_k' : null;
    return name === null ? {} : refuse(name, `${family.name} does not take '${name}'. ${remedy(name)}`);
  }
  if (sendsTemperature && temperature > 1) refuse('temperature', `'temperature' may be at most 1 for Claude.`);
  if (isThinking) {
    const name = sendsTemperature ? 'temperature' : topK !== undefined ? 'top_k' : null;
    if (name !== null) refuse(name, `Claude does not take '${name}' while it reasons. ${remedy(name)}`);
    if (sendsTopP && topP < 0.95) refuse('top_p', `'top_p' must be at least 0.95 while Claude reasons.`);
  }
  if (sendsTemperature && sendsTopP && family.sampling === 'one') {
    refuse('top_p', `${family.name} takes 'temperature' or 'top_p', not both. ${remedy('top_p')}`);
  }
  return {
    ...(sendsTemperature && { temperature }),
    ...(sendsTopP && { top_p: topP }),
    ...(topK !== undefined && { top_k: topK }),
  };
}

function numberOf(body: Fields, name: string, largest: number): number | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && value >= 0 && value <= largest) return value;
  return refuseInvalid(name, `'${name}' must be a number from 0 to ${largest}.`);
}

/** `stop` as `stop_sequences`; Claude refuses sequences of white space alone. */
export function stopSequencesOf(body: Fields): { stop_sequences?: string[] } {
  const { stop } = body;
  if (stop === undefined || stop === null) return {};
  const sequences: unknown[] = Array.isArray(stop) ? stop : [stop];
  const texts = sequences.filter((sequence) => typeof sequence === 'string');
  if (texts.length < sequences.length) refuseInvalid('stop', `'stop' must be a string or a list of strings.`);
  if (texts.some((text) => text.trim() === '')) refuse('stop', `Claude does not stop at white space alone ('stop').`);
  return texts.length === 0 ? {} : { stop_sequences: texts };
}

/** `user` or `safety_identifier` as `metadata.user_id`. Anthropic refuses what looks like an e-mail address or a number to call. */
export function metadataOf(body: Fields, mapping: Mapping): { metadata?: Fields } {
  const id = body.safety_identifier ?? body.user;
  if (typeof id !== 'string' || id === '') return {};
  const isPersonal = /@/.test(id) || /^\+?[\d\s().-]{7,20}$/.test(id);
  if (!isPersonal && id.length <= 256) return { metadata: { user_id: id } };
  warn(mapping, 'user was left out: Anthropic takes opaque identifiers of at most 256 characters only');
  return {};
}

/** OpenAI's usual tiers are what happens anyway; the dearer and cheaper ones have no equivalent, nor a price here. */
export function serviceTierOf(body: Fields, mapping: Mapping): { service_tier?: string } {
  const tier = body.service_tier;
  if (tier === undefined || tier === null || tier === 'auto' || tier === 'default') return {};
  if (tier === 'standard_only') return mapping.options.hasServiceTiers ? { service_tier: tier } : {};
  return refuse(
    'service_tier',
    `'service_tier' may be auto, default or standard_only for ${mapping.options.provider}.`,
  );
}
