import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';

/** One part of a message: text, an image or audio. Text and image addresses may hold templates. */
const messagePartSchema = z
  .union([
    z.string(),
    closedObject({ type: z.enum(['input_text', 'output_text', 'text']), text: z.string() }),
    closedObject({ type: z.literal('input_image'), image_url: z.string(), detail: z.string().optional() }),
    closedObject({
      type: z.literal('input_audio'),
      input_audio: closedObject({ data: z.string(), format: z.enum(['mp3', 'wav']) }),
    }),
  ])
  .openapi('EvalMessagePart');

/** A message whose content may hold templates such as `{{item.question}}` and `{{sample.output_text}}`. */
export const evalMessageSchema = closedObject({
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: z.union([z.string(), messagePartSchema, z.array(messagePartSchema)]),
  type: z.literal('message').optional(),
}).openapi('EvalMessage');

const name = z.string().min(1).max(200);
const threshold = z.number();

const stringCheck = closedObject({
  type: z.literal('string_check'),
  name,
  input: z.string(),
  reference: z.string(),
  operation: z.enum(['eq', 'ne', 'like', 'ilike']),
});

export const TEXT_METRICS = [
  'cosine',
  'fuzzy_match',
  'bleu',
  'gleu',
  'meteor',
  'rouge_1',
  'rouge_2',
  'rouge_3',
  'rouge_4',
  'rouge_5',
  'rouge_l',
] as const;

const textSimilarity = closedObject({
  type: z.literal('text_similarity'),
  name,
  input: z.string(),
  reference: z.string(),
  evaluation_metric: z.enum(TEXT_METRICS),
  pass_threshold: threshold.optional(),
  /** For `cosine`: the model or route that makes the embeddings. */
  model: z.string().min(1).optional(),
});

/** A route, by name or written out. */
export const evalConfigSchema = z.union([z.string().min(1), z.record(z.string(), z.unknown())]);

/** Where and when a judge is asked: by a route of its own in place of its model's, in a window other than the target's. */
const judgePlace = {
  config: evalConfigSchema.optional(),
  completion_window: z.string().min(1).max(32).optional(),
};

const judgeParams = closedObject({
  max_completions_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  reasoning_effort: z.string().nullish(),
  seed: z.int().nullish(),
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
});

const scoreModel = closedObject({
  type: z.literal('score_model'),
  name,
  /** A model or a route. */
  model: z.string().min(1),
  input: z.array(evalMessageSchema).min(1),
  range: z.tuple([z.number(), z.number()]).optional(),
  sampling_params: judgeParams.nullish(),
  ...judgePlace,
  pass_threshold: threshold.nullish(),
});

const labelModel = closedObject({
  type: z.literal('label_model'),
  name,
  /** A model or a route. */
  model: z.string().min(1),
  input: z.array(evalMessageSchema).min(1),
  labels: z.array(z.string().min(1)).min(1).max(100),
  passing_labels: z.array(z.string().min(1)).min(1),
  sampling_params: judgeParams.nullish(),
  ...judgePlace,
});

/** Weir runs nobody's code: this branch only tells so. */
const python = z.looseObject({ type: z.literal('python') }).refine(() => false, {
  message:
    "graders of type 'python' are refused: Weir runs no code of its users. Use string_check, numeric, regex, contains, json_schema, text_similarity, score_model, label_model, or a composite of them",
  path: ['type'],
});

const numeric = closedObject({
  type: z.literal('numeric'),
  name,
  input: z.string(),
  reference: z.string(),
  /** Which number of the input counts; `last` unless named. */
  pick: z.enum(['first', 'last', 'only']).optional(),
  /** Looked for after the last occurrence of this text, such as `####`; the whole input where it does not occur. */
  after: z.string().min(1).optional(),
  tolerance: z.number().min(0).optional(),
  /** A share of the reference. */
  relative_tolerance: z.number().min(0).optional(),
});

const regex = closedObject({
  type: z.literal('regex'),
  name,
  input: z.string(),
  /** JavaScript's syntax, without look-around and back-references. */
  pattern: z.string().min(1),
});

const contains = closedObject({
  type: z.literal('contains'),
  name,
  input: z.string(),
  /** One text or several, which may hold templates. */
  reference: z.union([z.string(), z.array(z.string()).min(1).max(100)]),
  /** Whether all of them must occur, or any; all unless named. */
  match: z.enum(['all', 'any']).optional(),
  ignore_case: z.boolean().optional(),
});

const jsonSchema = closedObject({
  type: z.literal('json_schema'),
  name,
  input: z.string(),
  /** Without it any JSON passes. */
  schema: z.record(z.string(), z.unknown()).optional(),
});

export type LeafGrader = z.infer<
  | typeof stringCheck
  | typeof textSimilarity
  | typeof scoreModel
  | typeof labelModel
  | typeof numeric
  | typeof regex
  | typeof contains
  | typeof jsonSchema
>;

/** Passes by what others say: `all`, `any`, `not` (of one), or by their weighted mean. */
export interface CompositeGrader {
  type: 'all' | 'any' | 'not' | 'weighted';
  name: string;
  graders: GraderSpec[];
  /** One for each grader; equal unless given. */
  weights?: number[] | undefined;
  pass_threshold?: number | undefined;
}

/** Its score is a formula over the scores of others, by their names. */
export interface MultiGrader {
  type: 'multi';
  name: string;
  graders: Record<string, GraderSpec>;
  calculate_output: string;
  pass_threshold?: number | undefined;
}

/** One testing criterion, as stored and as shown. */
export type GraderSpec = LeafGrader | CompositeGrader | MultiGrader;

const inner: z.ZodType<GraderSpec> = z.lazy(() => graderSchema).openapi({ type: 'object' });

const composite = closedObject({
  type: z.enum(['all', 'any', 'not', 'weighted']),
  name,
  graders: z.array(inner).min(1).max(20),
  weights: z.array(z.number().min(0)).optional(),
  pass_threshold: threshold.optional(),
});

const multi = closedObject({
  type: z.literal('multi'),
  name,
  graders: z.preprocess(
    byName,
    z
      .record(z.string().regex(/^[A-Za-z_]\w{0,63}$/, 'use letters, digits and _, as the formula names it'), inner)
      .refine((graders) => Object.keys(graders).length > 0, 'at least one grader is needed')
      .refine((graders) => Object.keys(graders).length <= 20, 'at most 20 graders are allowed'),
  ),
  calculate_output: z.string().min(1).max(1_000),
  pass_threshold: threshold.optional(),
});

/** OpenAI's types say one grader, its guides say an object of them by name; a list goes by the graders' own names. */
function byName(value: unknown): unknown {
  const list = Array.isArray(value) ? value : hasType(value) ? [value] : null;
  if (list === null) return value;
  return Object.fromEntries(list.map((grader: { name?: unknown } | null) => [String(grader?.name), grader]));
}

function hasType(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

export const graderSchema: z.ZodType<GraderSpec> = z
  .discriminatedUnion('type', [
    stringCheck,
    textSimilarity,
    scoreModel,
    labelModel,
    multi,
    numeric,
    regex,
    contains,
    jsonSchema,
    composite,
    python as unknown as typeof stringCheck,
  ])
  .openapi('EvalGrader', { type: 'object' });

export type EvalMessage = z.infer<typeof evalMessageSchema>;
