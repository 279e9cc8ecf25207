import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';
import { pageSchema } from './page.ts';

/**
 * - succeeded: the provider answered with a result; failed: it answered with an error;
 * - unknown: no answer was recorded (reset, timeout, the server stopped), so the call may have been billed;
 * - superseded: a real answer that came too late to be delivered, or that the route did not take.
 */
export const ENTRY_STATUSES = ['succeeded', 'failed', 'unknown', 'superseded'] as const;

export const ledgerEntrySchema = z
  .object({
    id: z.string(),
    object: z.literal('ledger.entry'),
    created_at: z.number().int(),
    batch_id: z.string().nullable(),
    custom_id: z.string().nullable(),
    line: z.number().int().nullable(),
    attempt: z.number().int(),
    mode: z.enum(['immediate', 'batch', 'sync']),
    provider: z.string(),
    target: z.string(),
    model: z.string(),
    served_model: z.string().nullable(),
    status: z.enum(ENTRY_STATUSES),
    status_code: z.number().int().nullable(),
    error_code: z.string().nullable(),
    key_id: z.string().nullable(),
    tags: z.record(z.string(), z.string()),
    usage: z.record(z.string(), z.number()).nullable(),
    raw_usage: z.unknown(),
    rates: z.record(z.string(), z.unknown()).nullable(),
    price_version: z.string().nullable(),
    amount_nano_usd: z.number().int().nullable(),
    amount_usd: z.string().nullable(),
    list_amount_nano_usd: z.number().int().nullable(),
    list_amount_usd: z.string().nullable(),
    estimated: z.boolean(),
    unpriced_reason: z.string().nullable(),
    /** A reversal takes an entry back, a correction states it anew: `adjusts` is that entry, `note` tells why. */
    kind: z.enum(['attempt', 'reversal', 'correction']),
    adjusts: z.string().nullable(),
    note: z.string().nullable(),
  })
  .openapi('LedgerEntry');

export const ledgerEntryPageSchema = pageSchema(ledgerEntrySchema).openapi('LedgerEntryList');

export const LEDGER_GROUPS = ['hour', 'day', 'provider', 'model', 'key', 'batch', 'tag', 'status', 'target'] as const;

export const ledgerFiguresSchema = z
  .object({
    entries: z.number().int(),
    requests: z.number().int(),
    input_tokens: z.number().int(),
    cached_input_tokens: z.number().int(),
    output_tokens: z.number().int(),
    amount_nano_usd: z.number().int(),
    amount_usd: z.string(),
    list_amount_nano_usd: z.number().int(),
    list_amount_usd: z.string(),
    unpriced_entries: z.number().int(),
    /** List amount (in real time) less amount, over the entries that have both. */
    savings_nano_usd: z.number().int(),
    savings_usd: z.string(),
    /** Time on pools that are paid by the hour, in microseconds of the whole pool. */
    gpu_microseconds: z.number().int(),
  })
  .openapi('LedgerFigures');

/** A row carries the group_by fields it was grouped by: strings, except `hour` and `day` (unix seconds of their start). */
export const ledgerSummarySchema = z
  .object({
    object: z.literal('list'),
    data: z.array(ledgerFiguresSchema.loose()),
    total: ledgerFiguresSchema,
  })
  .openapi('LedgerSummary');

const change = {
  before_nano_usd: z.number().int(),
  before_usd: z.string(),
  after_nano_usd: z.number().int(),
  after_usd: z.string(),
  difference_usd: z.string(),
};

/** Body of POST /v1/ledger/adjustments: which entries, as in the queries, and why. */
export const ledgerAdjustSchema = closedObject({
  reason: z.string().min(1).max(500),
  dry_run: z.boolean().default(true),
  only: z.enum(['unpriced', 'all']).default('unpriced'),
  /** As if the requests had been made then: Unix seconds or an ISO date. */
  prices_at: z.string().max(40).optional(),
  from: z.string().max(40).optional(),
  to: z.string().max(40).optional(),
  batch: z.string().max(512).optional(),
  provider: z.string().max(512).optional(),
  model: z.string().max(512).optional(),
  key: z.string().max(512).optional(),
  status: z.enum(ENTRY_STATUSES).optional(),
  tag: z.string().max(600).optional(),
  tenant_id: z.string().max(64).optional(),
}).openapi('LedgerAdjust');

/** What was (or would be) taken back and stated anew, in all and by provider and model. */
export const ledgerAdjustmentSchema = z
  .object({
    object: z.literal('ledger.adjustment'),
    dry_run: z.boolean(),
    examined: z.number().int(),
    adjusted: z.number().int(),
    unchanged: z.number().int(),
    still_unpriced: z.number().int(),
    ...change,
    data: z.array(z.object({ provider: z.string(), model: z.string(), entries: z.number().int(), ...change })),
    /** True when there was more than one call looks at: call again. */
    has_more: z.boolean(),
  })
  .openapi('LedgerAdjustment');

/** What a pool that is paid by the hour cost: its working time (marginal), and the whole time (amortised). */
const gpuAccountSchema = z
  .object({
    object: z.literal('gpu.account'),
    provider: z.string(),
    /** Null where one price holds for all models of the provider. */
    model: z.string().nullable(),
    price_per_second_nano_usd: z.number().int(),
    reserved_seconds: z.number().int(),
    busy_seconds: z.number(),
    /** Busy of reserved, 0 to 1. */
    occupancy: z.number(),
    tokens: z.number().int(),
    marginal_nano_usd: z.number().int(),
    marginal_usd: z.string(),
    amortised_nano_usd: z.number().int(),
    amortised_usd: z.string(),
    idle_usd: z.string(),
    marginal_usd_per_million_tokens: z.string().nullable(),
    amortised_usd_per_million_tokens: z.string().nullable(),
  })
  .openapi('GpuAccount');

export const gpuAccountsSchema = z
  .object({
    object: z.literal('list'),
    from: z.number().int(),
    to: z.number().int(),
    data: z.array(gpuAccountSchema),
  })
  .openapi('GpuAccounts');

export type GpuAccount = z.infer<typeof gpuAccountSchema>;
export type GpuAccounts = z.infer<typeof gpuAccountsSchema>;
export type LedgerAdjustment = z.infer<typeof ledgerAdjustmentSchema>;
export type EntryStatus = (typeof ENTRY_STATUSES)[number];
export type LedgerGroup = (typeof LEDGER_GROUPS)[number];
export type LedgerEntryObject = z.infer<typeof ledgerEntrySchema>;
export type LedgerFigures = z.infer<typeof ledgerFiguresSchema>;
