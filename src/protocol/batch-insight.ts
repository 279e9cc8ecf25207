import { z } from '@hono/zod-openapi';
import { batchRequestSchema } from './batch-request.ts';
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
  })
  .openapi('BatchTarget');

export const batchTargetsSchema = z
  .object({ object: z.literal('list'), data: z.array(batchTargetSchema) })
  .openapi('BatchTargetList');

/** Requests that became durable, by stretches of time; stretches without any are there with 0. */
export const batchThroughputSchema = z
  .object({
    object: z.literal('batch.throughput'),
    bucket_seconds: z.number().int(),
    data: z.array(z.object({ at: z.number().int(), requests: z.number().int() })),
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

export type BatchTarget = z.infer<typeof batchTargetSchema>;
export type BatchThroughput = z.infer<typeof batchThroughputSchema>;
export type BatchFailure = z.infer<typeof batchFailureSchema>;
export type BatchFailures = z.infer<typeof batchFailuresSchema>;
export type BatchRequestDetail = z.infer<typeof batchRequestDetailSchema>;
