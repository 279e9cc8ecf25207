import { z } from '@hono/zod-openapi';
import { batchErrorSchema } from './batch.ts';

const amount = z.number().int().nullable();
const usd = z.string().nullable();

/** Money in nano-USD beside decimal strings; null when unpriced. `list`: the same work at real-time list prices. */
export const estimateCostSchema = z
  .object({
    low_nano_usd: amount,
    low_usd: usd,
    expected_nano_usd: amount,
    expected_usd: usd,
    high_nano_usd: amount,
    high_usd: usd,
    list_low_nano_usd: amount,
    list_low_usd: usd,
    list_expected_nano_usd: amount,
    list_expected_usd: usd,
    list_high_nano_usd: amount,
    list_high_usd: usd,
  })
  .openapi('EstimateCost');

const figures = {
  /** Lines that go here; `refused_count` of them cannot be taken and are not in tokens and cost. */
  requests: z.number().int(),
  refused_count: z.number().int(),
  input_tokens: z.number().int(),
  output_tokens: z.object({ low: z.number().int(), expected: z.number().int(), high: z.number().int() }),
  cost: estimateCostSchema,
  unpriced_reason: z.string().nullable(),
};

export const refusedLineSchema = z
  .object({
    /** 1-based. */
    line: z.number().int(),
    custom_id: z.string(),
    code: z.string(),
    message: z.string(),
    param: z.string().nullable(),
  })
  .openapi('EstimateRefusedLine');

/** What one target gets first. All names are null for the lines that no target takes. */
export const estimateShareSchema = z
  .object({
    provider: z.string().nullable(),
    model: z.string().nullable(),
    target: z.string().nullable(),
    mode: z.enum(['batch', 'immediate']).nullable(),
    /** The tokenizer that counts input, or `bytes/4`; whether the length of answers is that of past ones, or of limits. */
    input_basis: z.string().nullable(),
    output_basis: z.enum(['history', 'limits']).nullable(),
    ...figures,
    /** The first of them. */
    lines_refused: z.array(refusedLineSchema),
    /** What is left out of or changed in requests, the most frequent first. */
    warnings: z.array(z.object({ message: z.string(), count: z.number().int() })),
  })
  .openapi('EstimateShare');

const planTarget = {
  provider: z.string(),
  model: z.string(),
  target: z.string(),
  mode: z.enum(['batch', 'immediate']),
};

/** What all lines that may go to a target would come to there, and why they are or are not sent there by the plan. */
export const estimateOptionSchema = z
  .object({
    ...planTarget,
    requests: z.number().int(),
    refused_count: z.number().int(),
    expected_nano_usd: amount,
    expected_usd: usd,
    /** What its limits make it last; null when nothing limits it. Of a provider batch: the window. */
    expected_seconds: z.number().int().nullable(),
    verdict: z.enum(['chosen', 'dearer', 'unpriced', 'refuses', 'too_few', 'too_slow']),
    reason: z.string(),
  })
  .openapi('EstimateOption');

/** The cheapest way to do all lines within the window at the targets that their routes name. */
export const estimatePlansSchema = z
  .object({
    /** Null when there is none; `reason` says why, or why it is this one. */
    cheapest: z
      .object({
        shares: z.array(
          z.object({
            ...planTarget,
            requests: z.number().int(),
            expected_nano_usd: z.number().int(),
            expected_usd: z.string(),
          }),
        ),
        expected_nano_usd: z.number().int(),
        expected_usd: z.string(),
        /** Against the split as the route has it; null when that is not wholly priced. */
        saves_nano_usd: amount,
        saves_usd: usd,
        /** Unix seconds; null when nothing is known of the pace of a provider. */
        expected_finish_at: z.number().int().nullable(),
      })
      .nullable(),
    options: z.array(estimateOptionSchema),
    reason: z.string(),
  })
  .openapi('EstimatePlans');

export const estimateSchema = z
  .object({
    object: z.literal('batch.estimate'),
    input_file_id: z.string(),
    /** What would fail the whole batch; nothing else is estimated then. */
    errors: z.object({ object: z.literal('list'), data: z.array(batchErrorSchema) }).nullable(),
    requests: z.number().int(),
    /** How input tokens were counted: a tokenizer's name, `bytes/4`, or both where targets differ. */
    method: z.string(),
    /** Lines that were looked at, when they are not all: counts and sums are scaled up from them. */
    sampled: z.number().int().nullable(),
    split: z.array(estimateShareSchema),
    /** Shares without a price are not in `cost`. */
    total: z.object(figures),
    /** Unix seconds; null when nothing is known of the pace of a provider. */
    expected_finish_at: z.number().int().nullable(),
    /** From a sample of the lines; null when there is nothing to compare. */
    plans: estimatePlansSchema.nullable(),
  })
  .openapi('BatchEstimate');

export type EstimateCost = z.infer<typeof estimateCostSchema>;
export type EstimateRefusedLine = z.infer<typeof refusedLineSchema>;
export type EstimateShare = z.infer<typeof estimateShareSchema>;
export type EstimatePlans = z.infer<typeof estimatePlansSchema>;
export type Estimate = z.infer<typeof estimateSchema>;
