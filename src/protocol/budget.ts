import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';
import { pageSchema } from './page.ts';

export const BUDGET_PERIODS = ['day', 'week', 'month', 'total'] as const;
export const ON_INSUFFICIENT = ['reject', 'stop'] as const;
export const UNPRICED_RULES = ['refuse', 'allow'] as const;
export const DEFAULT_THRESHOLDS: readonly number[] = [50, 80, 100];

const nano = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const usd = z.union([z.string(), z.number()]).openapi({ description: 'USD, with at most nine decimals' });
const tagSchema = closedObject({ key: z.string().min(1).max(64), value: z.string().max(512) });

const thresholds = z
  .array(z.int().min(1).max(1_000))
  .max(20)
  .openapi({ description: 'Percent of the limit; each is told once in a period, as event `budget.alert`.' });
const onInsufficient = z.enum(ON_INSUFFICIENT).openapi({
  description: 'A batch that may not fit wholly is refused, or admitted and stopped at the limit.',
});
const unpriced = z.enum(UNPRICED_RULES).openapi({
  description: 'Requests to targets without a price cannot be counted: they are refused, or let through uncounted.',
});

/** What may be changed. */
const settings = {
  name: z.string().min(1).max(128),
  limit_usd: usd,
  limit_nano_usd: nano,
  on_insufficient: onInsufficient,
  unpriced,
  alert_thresholds: thresholds,
};

/** What is named has to be met; with nothing named the budget counts everything. One of the two limits is needed. */
export const budgetCreateSchema = closedObject({
  ...z.object(settings).partial().shape,
  tenant_id: z.string().min(1).max(64).nullish(),
  key_id: z.string().min(1).max(128).nullish(),
  tag: tagSchema.nullish().openapi({ description: 'A pair of the metadata of batches and calls.' }),
  route: z.string().min(1).max(256).nullish().openapi({ description: 'Name of a route.' }),
  period: z.enum(BUDGET_PERIODS),
  timezone: z.string().min(1).max(64).default('UTC').openapi({
    description: 'Where days, weeks (from Monday) and months begin: a name such as `Europe/Berlin`.',
  }),
  starts_at: z.int().min(0).nullish().openapi({
    description: 'Of a `total` budget: Unix seconds from when on it counts. Default: now.',
  }),
}).openapi('BudgetCreate');

/** A change of a budget: what is left out stays as it is. What it counts stays. */
export const budgetUpdateSchema = closedObject(z.object(settings).partial().shape).openapi('BudgetUpdate');

export const budgetUsageSchema = z
  .object({
    /** Unix seconds; the end is null where there is none. */
    period_starts_at: z.number().int(),
    period_ends_at: z.number().int().nullable(),
    /** Sum of the ledger's entries in the period. */
    spent_nano_usd: z.number().int(),
    spent_usd: z.string(),
    /** What running batches and calls may still come to. */
    held_nano_usd: z.number().int(),
    held_usd: z.string(),
    /** Limit less both; below zero when it is overdrawn. */
    left_nano_usd: z.number().int(),
    left_usd: z.string(),
    /** Thresholds that were passed in the period. */
    alerts: z.array(z.object({ threshold: z.number().int(), at: z.number().int() })),
  })
  .openapi('BudgetUsage');

export const budgetSchema = z
  .object({
    id: z.string(),
    object: z.literal('budget'),
    name: z.string(),
    tenant_id: z.string().nullable(),
    key_id: z.string().nullable(),
    tag: z.object({ key: z.string(), value: z.string() }).nullable(),
    route: z.string().nullable(),
    limit_nano_usd: z.number().int(),
    limit_usd: z.string(),
    period: z.enum(BUDGET_PERIODS),
    timezone: z.string(),
    on_insufficient: z.enum(ON_INSUFFICIENT),
    unpriced: z.enum(UNPRICED_RULES),
    alert_thresholds: z.array(z.number().int()),
    created_at: z.number().int(),
    updated_at: z.number().int(),
    usage: budgetUsageSchema,
  })
  .openapi('Budget');

export const budgetPageSchema = pageSchema(budgetSchema).openapi('BudgetList');

export const budgetDeletedSchema = z
  .object({ id: z.string(), object: z.literal('budget'), deleted: z.literal(true) })
  .openapi('BudgetDeleted');

export type BudgetPeriod = (typeof BUDGET_PERIODS)[number];
export type OnInsufficient = (typeof ON_INSUFFICIENT)[number];
export type UnpricedRule = (typeof UNPRICED_RULES)[number];
export type BudgetObject = z.infer<typeof budgetSchema>;
export type BudgetCreate = z.infer<typeof budgetCreateSchema>;
export type BudgetUpdate = z.infer<typeof budgetUpdateSchema>;
