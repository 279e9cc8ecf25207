import { z } from '@hono/zod-openapi';
import { batchRequestSchema } from './batch-request.ts';
import { holdSchema } from './held-target.ts';
import { ENTRY_STATUSES, ledgerEntrySchema, ledgerFiguresSchema } from './ledger.ts';

/** What one target was meant to get of a batch, and what it got. */
export const batchTargetSchema = ledgerFiguresSchema
  .extend({
    target: z.string(),
    /** Null where lines come here only from elsewhere. */
    weight: z.number().nullable(),
    /** Requests that were divided to it first; null when targets pull from one queue, or before the batch starts. */
    planned: z.number().int().nullable(),
    /** Requests that ended here with a result, and with an error. */
    completed: z.number().int(),
    failed: z.number().int(),
    /** Single requests that the answering server has there now. */
    in_flight: z.number().int(),
    /** Why lines sent at once wait for it, or fail there: the account is refused, or nothing answers, since when. Null while it takes them. */
    held: holdSchema.nullable(),
  })
  .openapi('BatchTarget');

export const batchTargetsSchema = z
  .object({ object: z.literal('list'), data: z.array(batchTargetSchema) })
  .openapi('BatchTargetList');

/**
 * Requests that became durable, and how many were in flight on average, by stretches of time. Stretches without any are
 * there with 0; `in_flight` is null in all of them where nothing was sent one by one.
 */
export const batchThroughputSchema = z
  .object({
    object: z.literal('batch.throughput'),
    bucket_seconds: z.number().int(),
    data: z.array(z.object({ at: z.number().int(), requests: z.number().int(), in_flight: z.number().nullable() })),
  })
  .openapi('BatchThroughput');

const exampleSchema = z.object({
  /** The request's id; null for a finding about the file as a whole. */
  id: z.string().nullable(),
  line: z.number().int(),
  custom_id: z.string(),
  message: z.string().nullable(),
});

/**
 * Failures with one cause. `attempts` counts calls that failed so, `requests` those that ended so. Requests that never
 * reached a provider have no target and no attempts.
 */
export const batchFailureSchema = z
  .object({
    code: z.string().nullable(),
    status_code: z.number().int().nullable(),
    target: z.string().nullable(),
    status: z.enum([...ENTRY_STATUSES, 'not_sent']),
    attempts: z.number().int(),
    requests: z.number().int(),
    examples: z.array(exampleSchema),
  })
  .openapi('BatchFailure');

export const batchFailuresSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(batchFailureSchema),
    /** Failed requests that are in no group: too many to look at, or of a batch that still runs. */
    not_grouped: z.number().int(),
  })
  .openapi('BatchFailureList');

/** A request with what was sent, what came back, and every attempt. Bodies are null once their files are gone. */
export const batchRequestDetailSchema = batchRequestSchema
  .extend({ input: z.unknown(), response: z.unknown(), entries: z.array(ledgerEntrySchema) })
  .openapi('BatchRequestDetail');

/** What one pool that is paid by the hour cost a batch. */
export const batchGpuSchema = z
  .object({
    object: z.literal('batch.gpu'),
    provider: z.string(),
    /** Null where one price holds for all models of the provider. */
    model: z.string().nullable(),
    price_per_second_nano_usd: z.number().int(),
    /** The pool's time in which the batch's requests were in flight, shared with others that were then. */
    busy_seconds: z.number(),
    /** The batch's part of the pool's working time while it ran, and the working part of all that time; 0 to 1. */
    share: z.number(),
    occupancy: z.number(),
    /** Its part of the working time, as the entries have it. */
    marginal_nano_usd: z.number().int(),
    marginal_usd: z.string(),
    /** Its part of the whole time, idle or not, as whoever rents or owns the pool pays it. */
    amortised_nano_usd: z.number().int(),
    amortised_usd: z.string(),
    idle_usd: z.string(),
  })
  .openapi('BatchGpu');

export const batchGpusSchema = z
  .object({
    object: z.literal('list'),
    /** The time in which the batch ran, in Unix seconds. */
    from: z.number().int(),
    to: z.number().int(),
    data: z.array(batchGpuSchema),
  })
  .openapi('BatchGpuList');

export type BatchGpu = z.infer<typeof batchGpuSchema>;
export type BatchGpus = z.infer<typeof batchGpusSchema>;
export type BatchTarget = z.infer<typeof batchTargetSchema>;
export type BatchThroughput = z.infer<typeof batchThroughputSchema>;
export type BatchFailure = z.infer<typeof batchFailureSchema>;
export type BatchFailures = z.infer<typeof batchFailuresSchema>;
export type BatchRequestDetail = z.infer<typeof batchRequestDetailSchema>;
