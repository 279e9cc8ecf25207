import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';
import { expiresAfterSchema } from './file.ts';
import { metadataSchema } from './metadata.ts';
import { pageSchema } from './page.ts';
import { SHARD_ALERT_CODES } from './shard-alert.ts';

/** OpenAI's eight statuses, in the order of a batch's life. */
export const BATCH_STATUSES = [
  'validating',
  'failed',
  'in_progress',
  'finalizing',
  'completed',
  'expired',
  'cancelling',
  'cancelled',
] as const;

export type BatchStatus = (typeof BATCH_STATUSES)[number];

/** What a list of batches can be sorted by: `cost` by amount, the others by count. */
export const BATCH_SORTS = ['created_at', 'cost', 'requests', 'failed'] as const;
export type BatchSort = (typeof BATCH_SORTS)[number];

/** One finding about the input file. `line` is 1-based; null when the finding concerns the whole file. */
export const batchErrorSchema = z
  .object({
    code: z.string(),
    message: z.string(),
    param: z.string().nullable(),
    line: z.number().int().nullable(),
  })
  .openapi('BatchError');

export const batchUsageSchema = z
  .object({
    input_tokens: z.number().int(),
    input_tokens_details: z.object({ cached_tokens: z.number().int() }),
    output_tokens: z.number().int(),
    output_tokens_details: z.object({ reasoning_tokens: z.number().int() }),
    total_tokens: z.number().int(),
  })
  .openapi('BatchUsage');

export const batchCostSchema = z
  .object({
    amount_nano_usd: z.number().int(),
    amount_usd: z.string(),
    list_amount_nano_usd: z.number().int(),
    list_amount_usd: z.string(),
    unpriced_entries: z.number().int(),
    /** What the batch was estimated to come to when it started; null where that was not made. */
    estimate: z
      .object({
        input_tokens: z.number().int(),
        output_tokens: z.object({ low: z.number().int(), expected: z.number().int(), high: z.number().int() }),
        low_nano_usd: z.number().int().nullable(),
        expected_nano_usd: z.number().int().nullable(),
        high_nano_usd: z.number().int().nullable(),
        low_usd: z.string().nullable(),
        expected_usd: z.string().nullable(),
        high_usd: z.string().nullable(),
      })
      .nullish(),
  })
  .openapi('BatchCost');

const timestamp = z.number().int().nullable();

/** The part of a batch that one provider batch runs; `provider_status` is the provider's own word. */
export const batchShardSchema = z
  .object({
    id: z.string(),
    provider: z.string(),
    model: z.string(),
    endpoint: z.string(),
    state: z.string(),
    provider_batch_id: z.string().nullable(),
    provider_status: z.string().nullable(),
    request_counts: z.object({
      total: z.number().int(),
      completed: z.number().int().nullable(),
      failed: z.number().int().nullable(),
    }),
    submitted_at: timestamp,
    ended_at: timestamp,
    next_at: timestamp,
    /** Why it waits, or why it ended without results. */
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    /** What an operator should look at; null when it goes its way. */
    alert: z.object({ code: z.enum(SHARD_ALERT_CODES), message: z.string(), since: timestamp }).nullable(),
    amount_nano_usd: z.number().int(),
    amount_usd: z.string(),
    /** Its entries without a known price, which are not in the amount. */
    unpriced_entries: z.number().int(),
    /** The provider's own answer, on request. */
    provider_details: z.unknown().optional(),
  })
  .openapi('BatchShard');

export const batchSchema = z
  .object({
    id: z.string(),
    object: z.literal('batch'),
    endpoint: z.string(),
    model: z.string().nullable(),
    errors: z.object({ object: z.literal('list'), data: z.array(batchErrorSchema) }).nullable(),
    input_file_id: z.string(),
    completion_window: z.string(),
    status: z.enum(BATCH_STATUSES),
    output_file_id: z.string().nullable(),
    error_file_id: z.string().nullable(),
    created_at: z.number().int(),
    in_progress_at: timestamp,
    expires_at: timestamp,
    finalizing_at: timestamp,
    completed_at: timestamp,
    failed_at: timestamp,
    expired_at: timestamp,
    cancelling_at: timestamp,
    cancelled_at: timestamp,
    request_counts: z.object({ total: z.number().int(), completed: z.number().int(), failed: z.number().int() }),
    usage: batchUsageSchema.nullable(),
    metadata: metadataSchema.nullable(),
    /** Weir's own, beside OpenAI's: the account so far, and whether the batch is held. */
    cost: batchCostSchema,
    config: z.string().nullable(),
    priority: z.number().int(),
    paused: z.boolean(),
    retry_of: z.string().nullable(),
    /** Provider batches that run parts of it; only on the batch itself, not in lists. */
    shards: z.array(batchShardSchema).optional(),
  })
  .openapi('Batch');

export const batchPageSchema = pageSchema(batchSchema).openapi('BatchList');

export const BATCH_PRIORITY_MAX = 10;

/** Body of POST /v1/batches. `config` is a route's name or an inline route; it is parsed by the route schema later. */
export const batchCreateSchema = closedObject({
  input_file_id: z.string().min(1),
  endpoint: z.string(),
  completion_window: z.string(),
  metadata: metadataSchema.nullish(),
  output_expires_after: expiresAfterSchema.nullish(),
  config: z.union([z.string(), z.record(z.string(), z.unknown())]).nullish(),
  priority: z.int().min(-BATCH_PRIORITY_MAX).max(BATCH_PRIORITY_MAX).nullish().openapi({
    description:
      'Its share beside the other batches of its tenant: two steps double it, 0 is usual. Also as the header `x-weir-priority`.',
  }),
  provider_options: z.record(z.string(), z.record(z.string(), z.unknown())).nullish().openapi({
    description:
      'Native fields for the create call of provider batches, by the config\'s name of the provider, at most 16,384 bytes in all: `{"bedrock-us": {"tags": […]}}`. Fields that Weir sets itself are refused.',
  }),
  include_raw: z.boolean().nullish().openapi({
    description:
      "Keep the provider's own line: `weir.raw` in `/v1/batches/{id}/output`, for lines that a provider batch answered.",
  }),
}).openapi('BatchCreate');

export type BatchError = z.infer<typeof batchErrorSchema>;
export type BatchShard = z.infer<typeof batchShardSchema>;
export type BatchUsage = z.infer<typeof batchUsageSchema>;
export type BatchObject = z.infer<typeof batchSchema>;
export type BatchCreate = z.infer<typeof batchCreateSchema>;
