import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';
import { evalConfigSchema, evalMessageSchema } from './eval-grader.ts';
import { metadataSchema } from './metadata.ts';
import { pageSchema } from './page.ts';

const record = z.record(z.string(), z.unknown());

/** One row of a data source; `sample` is an answer that is there already. */
export const evalRowSchema = z.object({ item: record, sample: record.nullish() }).openapi('EvalRow');

const refusedSource = <T extends string>(type: T) =>
  z.looseObject({ type: z.literal(type) }).refine(() => false, {
    message: `sources of type '${type}' are refused: Weir keeps no log of answers. Use file_content or file_id`,
    path: ['type'],
  });

const sourceSchema = z.discriminatedUnion('type', [
  closedObject({ type: z.literal('file_content'), content: z.array(evalRowSchema).min(1) }),
  closedObject({ type: z.literal('file_id'), id: z.string().min(1).max(128) }),
  refusedSource('stored_completions'),
  refusedSource('responses'),
]);

/** What a model is asked: messages with templates, or the messages that each item holds. */
export const inputMessagesSchema = z
  .discriminatedUnion('type', [
    closedObject({ type: z.literal('template'), template: z.array(evalMessageSchema).min(1) }),
    closedObject({ type: z.literal('item_reference'), item_reference: z.string().min(1) }),
  ])
  .openapi('EvalInputMessages');

/** Parameters of the requests. Whatever the endpoint takes is taken, except for what the run itself sets. */
const samplingSchema = z
  .looseObject({})
  .refine((params) => !['model', 'messages', 'input', 'stream'].some((name) => Object.hasOwn(params, name)), {
    message: "'model', 'messages', 'input' and 'stream' are set by the run itself; remove them",
  })
  .openapi('EvalSamplingParams', { type: 'object' });

/** So many of the source's rows, or a share of them but at least `least`, drawn by `seed`: the same rows for the same seed. */
const sampleSchema = closedObject({
  size: z.int().min(1).max(1_000_000).optional(),
  share: z.number().gt(0).max(1).optional(),
  least: z.int().min(1).max(1_000_000).optional(),
  seed: z.int().min(0).max(999_999_999).default(0),
})
  .refine(({ size, share }) => (size === undefined) !== (share === undefined), "name one of 'size' and 'share'")
  .refine(({ size, least }) => size === undefined || least === undefined, "'least' belongs to 'share'; remove it")
  .openapi('EvalSampleOfRows');

const rows = { source: sourceSchema, sample: sampleSchema.nullish() };

const sampled = {
  ...rows,
  input_messages: inputMessagesSchema.nullish(),
  model: z.string().min(1).max(512).nullish(),
  sampling_params: samplingSchema.nullish(),
};

export const evalDataSourceSchema = z
  .discriminatedUnion('type', [
    closedObject({ type: z.literal('jsonl'), ...rows }),
    closedObject({ type: z.literal('completions'), ...sampled }),
    closedObject({ type: z.literal('responses'), ...sampled }),
  ])
  .openapi('EvalRunDataSource');

/** One of several answerers of the same items; what it leaves out is the run's. */
export const evalTargetSchema = closedObject({
  /** How it is called in results; its model unless given. */
  name: z.string().min(1).max(200).optional(),
  model: z.string().min(1).max(512).optional(),
  /** A route, by name or written out. */
  config: evalConfigSchema.optional(),
  /** Set beside the run's, and before them. */
  sampling_params: samplingSchema.optional(),
  input_messages: inputMessagesSchema.optional(),
  completion_window: z.string().optional(),
}).openapi('EvalTarget');

export const EVAL_TARGETS_MAX = 20;

/** Body of POST /v1/evals/{id}/runs: OpenAI's, and where and when the requests run. */
export const evalRunCreateSchema = closedObject({
  name: z.string().max(512).optional(),
  metadata: metadataSchema.nullish(),
  data_source: evalDataSourceSchema,
  config: evalConfigSchema.nullish(),
  completion_window: z.string().default('immediate'),
  /** Several answerers; or the name of a route, whose targets they are then. */
  targets: z.union([z.array(evalTargetSchema).min(1).max(EVAL_TARGETS_MAX), z.string().min(1).max(128)]).optional(),
}).openapi('EvalRunCreate');

export const EVAL_RUN_STATUSES = ['queued', 'in_progress', 'completed', 'failed', 'canceled'] as const;

const count = z.number().int();
const errorSchema = z.object({ code: z.string(), message: z.string() }).openapi('EvalError');

const resultCountsSchema = z
  .object({ total: count, passed: count, failed: count, errored: count })
  .openapi('EvalResultCounts');

const criterionResultSchema = z
  .object({ testing_criteria: z.string(), passed: count, failed: count, errored: count })
  .openapi('EvalCriterionResult');

const modelUsageSchema = z
  .object({
    model_name: z.string(),
    invocation_count: count,
    prompt_tokens: count,
    completion_tokens: count,
    cached_tokens: count,
    total_tokens: count,
  })
  .openapi('EvalModelUsage');

const costSchema = z.object({
  amount_nano_usd: count,
  amount_usd: z.string(),
  unpriced_entries: count,
});

/** A target of a run: where it stands and which batches it is made of. */
const runTargetSchema = z
  .object({
    index: count,
    name: z.string(),
    model: z.string().nullable(),
    status: z.enum(['queued', 'sampling', 'judging', 'grading', 'completed', 'failed']),
    error: errorSchema.nullable(),
    batch_id: z.string().nullable(),
    judge_batch_ids: z.array(z.string()),
    result_counts: resultCountsSchema,
    per_testing_criteria_results: z.array(criterionResultSchema),
    per_model_usage: z.array(modelUsageSchema),
    /** Of the answers, and of the judges; only on the run itself, not in lists. */
    cost: costSchema.optional(),
    judge_cost: costSchema.optional(),
  })
  .openapi('EvalRunTarget');

export const evalRunSchema = z
  .object({
    id: z.string(),
    object: z.literal('eval.run'),
    eval_id: z.string(),
    created_at: count,
    name: z.string(),
    model: z.string(),
    status: z.enum(EVAL_RUN_STATUSES),
    error: errorSchema.nullable(),
    data_source: z.looseObject({ type: z.string() }),
    metadata: metadataSchema.nullable(),
    report_url: z.string(),
    result_counts: resultCountsSchema,
    per_testing_criteria_results: z.array(criterionResultSchema),
    per_model_usage: z.array(modelUsageSchema),
    /** Weir's own. */
    completion_window: z.string(),
    started_at: count.nullable(),
    ended_at: count.nullable(),
    targets: z.array(runTargetSchema),
  })
  .openapi('EvalRun');

export const evalRunPageSchema = pageSchema(evalRunSchema).openapi('EvalRunList');

export const evalRunDeletedSchema = z
  .object({ object: z.literal('eval.run.deleted'), deleted: z.literal(true), run_id: z.string() })
  .openapi('EvalRunDeleted');

export type EvalDataSource = z.infer<typeof evalDataSourceSchema>;
export type EvalInputMessages = z.infer<typeof inputMessagesSchema>;
export type EvalTarget = z.infer<typeof evalTargetSchema>;
export type EvalSampleOfRows = z.infer<typeof sampleSchema>;
export type EvalRow = z.infer<typeof evalRowSchema>;
export type EvalRunCreate = z.infer<typeof evalRunCreateSchema>;
export type EvalRunObject = z.infer<typeof evalRunSchema>;
export type EvalRunStatus = (typeof EVAL_RUN_STATUSES)[number];
export type EvalCriterionResult = z.infer<typeof criterionResultSchema>;
export type EvalModelUsage = z.infer<typeof modelUsageSchema>;
export type EvalResultCounts = z.infer<typeof resultCountsSchema>;
