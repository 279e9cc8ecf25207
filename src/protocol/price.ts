import { z } from '@hono/zod-openapi';
import { pageSchema } from './page.ts';

const card = z.record(z.string(), z.string()).nullable();

/** Cards are USD per million tokens (searches: per call) as decimal strings, whatever currency they were stated in. */
export const priceSchema = z
  .object({
    id: z.string(),
    object: z.literal('price'),
    provider: z.string(),
    model: z.string(),
    aliases: z.array(z.string()),
    /** One region, or several that have one price; null: wherever no other price names the region. */
    region: z.union([z.string(), z.array(z.string())]).nullable(),
    hours: z.array(z.string()).nullable(),
    /** First day (UTC), and the first day on which it holds no more; null while nothing ends it. */
    from: z.string(),
    until: z.string().nullable(),
    /** Whether it holds at the time asked for. */
    in_effect: z.boolean(),
    currency: z.string(),
    usd_rate: z.string().nullable(),
    usd_rate_on: z.string().nullable(),
    standard: card,
    batch: card,
    flex: card,
    priority: card,
    fast: card,
    tiers: z.array(z.object({ above_input_tokens: z.number().int() }).loose()),
    /** `list`: came with Weir; `stated`: an administrator's, which goes before lists; `config`: of the config file. */
    origin: z.enum(['list', 'stated', 'config']),
    source: z.string(),
    verified_on: z.string().nullable(),
    version: z.string(),
  })
  .openapi('Price');

export const pricePageSchema = pageSchema(priceSchema).openapi('PriceList');

/** The answer to a new price: the price, and what it changes that may surprise. */
export const priceCreatedSchema = priceSchema
  .extend({ dry_run: z.boolean(), replaces: z.string().nullable(), warnings: z.array(z.string()) })
  .openapi('PriceCreated');

export const priceResolutionSchema = z
  .object({
    object: z.literal('price.resolution'),
    provider: z.string(),
    model: z.string(),
    mode: z.string(),
    /** What price lists call the provider, as `provider` of a stated price; null where only the config prices it. */
    price_provider: z.string().nullable(),
    /** The model whose price applies, and why it does. */
    priced_model: z.string().nullable(),
    resolved_by: z.string().nullable(),
    price_version: z.string().nullable(),
    rates: z.record(z.string(), z.unknown()).nullable(),
    unpriced_reason: z.string().nullable(),
  })
  .openapi('PriceResolution');

/** What another list has otherwise than the price that holds, and what would have to be stated to follow it. */
export const priceChangeSchema = z
  .object({
    object: z.literal('price.change'),
    provider: z.string(),
    model: z.string(),
    /** `standard.input`, `above_200000.output`, …; null where there is none. */
    fields: z.array(z.object({ name: z.string(), before: z.string().nullable(), after: z.string().nullable() })),
    /** Body of POST /v1/prices beside `from` and `source`; null where it has to be stated by hand. */
    successor: z.record(z.string(), z.unknown()).nullable(),
    notes: z.array(z.string()),
  })
  .openapi('PriceChange');

export const priceChangesSchema = z
  .object({
    object: z.literal('list'),
    /** The list that was compared with. */
    source: z.string(),
    data: z.array(priceChangeSchema),
  })
  .openapi('PriceChangeList');

export type PriceChangeObject = z.infer<typeof priceChangeSchema>;
export type PriceChanges = z.infer<typeof priceChangesSchema>;
export type PriceObject = z.infer<typeof priceSchema>;
export type PriceCreated = z.infer<typeof priceCreatedSchema>;
export type PriceResolutionObject = z.infer<typeof priceResolutionSchema>;
