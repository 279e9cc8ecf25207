import { z } from 'zod';
import { scheduleSchema } from '../../src/core/batch-hours.ts';
import { ownPriceSchema } from '../../src/core/own-price.ts';
import type { ProviderLimits } from '../contract.ts';

const limit = z.int().positive();

const limitsSchema = z.strictObject({
  concurrency: limit.optional(),
  requests_per_minute: limit.optional(),
  tokens_per_minute: limit.optional(),
  adaptive: z.boolean().optional(),
});

/** What every provider's config entry may hold. `price` is read by whoever prices, not by the provider. */
export const commonSettings = {
  kind: z.string().optional(),
  limits: limitsSchema.optional(),
  price: ownPriceSchema.optional(),
  /** Of both, the runtime makes what it needs. */
  schedule: scheduleSchema.optional(),
  account: z.string().min(1).max(64).optional(),
};

/** Model names that the operator lists; absent means: ask the provider. */
export const modelList = z.array(z.string().min(1)).min(1);

/** A key or token: it becomes a header, so anything but visible ASCII is a mistake. Its text never enters a message. */
export const secret = z
  .string()
  .min(1, 'is empty; check the environment variable it comes from')
  .regex(
    /^[\x21-\x7e]*$/,
    'holds spaces, line breaks or non-ASCII characters; check the environment variable it comes from',
  );

/** The limits of a config entry as the contract states them. */
export function toLimits(limits: z.infer<typeof limitsSchema> | undefined): ProviderLimits {
  return {
    concurrency: limits?.concurrency ?? null,
    requestsPerMinute: limits?.requests_per_minute ?? null,
    tokensPerMinute: limits?.tokens_per_minute ?? null,
    ...(limits?.adaptive !== undefined && { adaptive: limits.adaptive }),
  };
}
