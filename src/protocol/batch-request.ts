import { z } from '@hono/zod-openapi';
import { pageSchema } from './page.ts';

export const REQUEST_STATUSES = ['pending', 'completed', 'failed', 'expired', 'cancelled'] as const;
export type RequestStatus = (typeof REQUEST_STATUSES)[number];

/** One request of a batch, without its bodies. `line` is 1-based. */
export const batchRequestSchema = z
  .object({
    id: z.string(),
    object: z.literal('batch.request'),
    line: z.number().int(),
    custom_id: z.string(),
    status: z.enum(REQUEST_STATUSES),
    provider: z.string().nullable(),
    model: z.string().nullable(),
    target: z.string().nullable(),
    attempts: z.number().int(),
    input_tokens: z.number().int(),
    output_tokens: z.number().int(),
    cost_nano_usd: z.number().int().nullable(),
    cost_usd: z.string().nullable(),
    finish_reason: z.string().nullable(),
    status_code: z.number().int().nullable(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    warnings: z.array(z.string()),
  })
  .openapi('BatchRequest');

export const batchRequestPageSchema = pageSchema(batchRequestSchema).openapi('BatchRequestList');

export type BatchRequest = z.infer<typeof batchRequestSchema>;
