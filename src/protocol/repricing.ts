import { z } from '@hono/zod-openapi';

const nano = z.number().int();

const figures = {
  entries: z.number().int(),
  actual_nano_usd: nano,
  actual_usd: z.string(),
  actual_unpriced_entries: z.number().int(),
  repriced_nano_usd: nano,
  repriced_usd: z.string(),
  /** Entries that would have no amount: they are not in the sum. */
  repriced_unpriced_entries: z.number().int(),
  difference_nano_usd: nano,
  difference_usd: z.string(),
};

/** What a batch would have cost elsewhere, or at another time, with the tokens that it used. */
export const batchRepricingSchema = z
  .object({
    object: z.literal('batch.repricing'),
    batch_id: z.string(),
    provider: z.string().nullable(),
    model: z.string().nullable(),
    mode: z.enum(['batch', 'standard']).nullable(),
    prices_at: z.number().int().nullable(),
    ...figures,
    unpriced: z.array(z.object({ reason: z.string(), entries: z.number().int() })),
    data: z.array(z.object({ target: z.string(), ...figures })),
  })
  .openapi('BatchRepricing');

export type BatchRepricing = z.infer<typeof batchRepricingSchema>;
