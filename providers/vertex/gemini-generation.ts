import { isFields } from '../shared/error-body.ts';
import { withDescription } from '../shared/schema-description.ts';
import type { GeminiGenerationConfig } from './gemini.ts';
import { toOpenApiSchema } from './gemini-schema.ts';
import type { GeminiFamily } from './models.ts';
import { invalid, unsupported } from './refused.ts';

type Body = Readonly<Record<string, unknown>>;

/** Everything of a request that steers the generation; `warnings` takes what was changed. Refuses by throwing. */
export function toGenerationConfig(body: Body, family: GeminiFamily, warnings: Set<string>): GeminiGenerationConfig {
  const config: GeminiGenerationConfig = {
    ...numberOf(body, 'max_tokens', 'maxOutputTokens'),
    ...numberOf(body, 'max_completion_tokens', 'maxOutputTokens'),
    ...numberOf(body, 'temperature', 'temperature'),
    ...numberOf(body, 'top_p', 'topP'),
    ...numberOf(body, 'top_k', 'topK'),
    ...numberOf(body, 'seed', 'seed'),
    ...numberOf(body, 'presence_penalty', 'presencePenalty'),
    ...numberOf(body, 'frequency_penalty', 'frequencyPenalty'),
    ...stopOf(body.stop),
    ...choicesOf(body.n),
    ...logprobsOf(body),
    ...formatOf(body.response_format, family),
    ...thinkingOf(body.reasoning_effort, family, warnings),
  };
  return config;
}

type NumberName = {
  [Name in keyof GeminiGenerationConfig]-?: NonNullable<GeminiGenerationConfig[Name]> extends number ? Name : never;
}[keyof GeminiGenerationConfig];

function numberOf(body: Body, name: string, nativeName: NumberName): GeminiGenerationConfig {
  const value = body[name];
  if (value === undefined || value === null) return {};
  return typeof value === 'number' ? { [nativeName]: value } : invalid(name, `${name} must be a number, at most 2^53.`);
}

function stopOf(stop: unknown): GeminiGenerationConfig {
  if (stop === undefined || stop === null) return {};
  const sequences: unknown[] = Array.isArray(stop) ? stop : [stop];
  if (sequences.length === 0) return {};
  if (sequences.length > 5) return unsupported('stop', 'stop may hold at most five sequences for this model.');
  const texts = sequences.map((one) => (typeof one === 'string' ? one : invalid('stop', 'stop must be text.')));
  return { stopSequences: texts };
}

function choicesOf(n: unknown): GeminiGenerationConfig {
  if (n === undefined || n === null || n === 1) return {};
  if (typeof n === 'number' && Number.isInteger(n) && n >= 1 && n <= 8) return { candidateCount: n };
  return unsupported('n', 'n may be 1 to 8 for this model.');
}

function logprobsOf(body: Body): GeminiGenerationConfig {
  const { logprobs, top_logprobs: top } = body;
  if (logprobs !== true) {
    return typeof top === 'number' && top > 0 ? invalid('top_logprobs', 'top_logprobs needs logprobs: true.') : {};
  }
  if (top === undefined || top === null || top === 0) return { responseLogprobs: true };
  if (typeof top !== 'number' || top < 0 || top > 20) return invalid('top_logprobs', 'top_logprobs may be 0 to 20.');
  return { responseLogprobs: true, logprobs: top };
}

const json = 'application/json';

function formatOf(format: unknown, family: GeminiFamily): GeminiGenerationConfig {
  if (format === undefined || format === null) return {};
  if (!isFields(format)) return invalid('response_format', 'response_format must be an object.');
  switch (format.type) {
    case 'text':
      return {};
    case 'json_object':
      return { responseMimeType: json };
    case 'json_schema': {
      const wrapper = format.json_schema;
      const at = 'response_format.json_schema.schema';
      const schema = isFields(wrapper) ? wrapper.schema : undefined;
      if (!isFields(wrapper) || !isFields(schema)) return invalid(at, `${at} must be a JSON schema.`);
      const described = withDescription(schema, wrapper.description);
      return family.jsonSchema
        ? { responseMimeType: json, responseJsonSchema: described }
        : { responseMimeType: json, responseSchema: toOpenApiSchema(described, at) };
    }
    default:
      return unsupported('response_format', 'response_format.type must be text, json_object or json_schema.');
  }
}

/** Tokens for each effort, as Google's OpenAI-compatible endpoint spends them ("OpenAI compatibility", Thinking). */
const budgets = { minimal: 1024, low: 1024, medium: 8192, high: 24_576 } as const;
const levels = { minimal: 'MINIMAL', low: 'LOW', medium: 'MEDIUM', high: 'HIGH' } as const;

function thinkingOf(asked: unknown, family: GeminiFamily, warnings: Set<string>): GeminiGenerationConfig {
  if (asked === undefined || asked === null) return {};
  const { thinking } = family;
  const isOff = asked === 'none';
  if (thinking.by === 'none') {
    return isOff ? {} : unsupported('reasoning_effort', 'reasoning_effort: this model does not reason.');
  }
  if (isOff && thinking.by === 'budget') {
    if (thinking.canBeOff) return { thinkingConfig: { thinkingBudget: 0 } };
    return unsupported('reasoning_effort', 'reasoning_effort may not be none: this model always reasons.');
  }
  const effort = effortOf(isOff ? 'minimal' : asked);
  if (effort === null)
    return invalid('reasoning_effort', 'reasoning_effort must be none, minimal, low, medium or high.');
  if (asked === 'xhigh' || asked === 'max')
    warnings.add(`reasoning_effort ${asked} was sent as high, this model's most`);
  if (thinking.by === 'budget') return { thinkingConfig: { thinkingBudget: budgets[effort] } };
  const order = Object.values(levels);
  const wanted = order.indexOf(levels[effort]);
  // A level the model lacks becomes its next higher one.
  const level = thinking.levels.find((one) => order.indexOf(one) >= wanted) ?? 'HIGH';
  if (isOff || level !== levels[effort]) {
    warnings.add(`reasoning_effort ${String(asked)} was sent as ${level.toLowerCase()}, the nearest of this model`);
  }
  return { thinkingConfig: { thinkingLevel: level } };
}

function effortOf(asked: unknown): keyof typeof budgets | null {
  if (asked === 'xhigh' || asked === 'max') return 'high';
  return typeof asked === 'string' && Object.hasOwn(budgets, asked) ? (asked as keyof typeof budgets) : null;
}
