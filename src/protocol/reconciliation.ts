import { z } from '@hono/zod-openapi';
import { closedObject } from './closed-object.ts';

const nano = z.number().int();
const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER).nullable().optional();
export const daySchema = z.string().regex(/^\d{4}-\d{2}-\d{2}$/, 'must be a day such as 2026-01-31');

/** One line of a bill. What it says nothing about is left out. */
const billedRowSchema = closedObject({
  day: daySchema,
  model: z.string().min(1).max(512),
  input_tokens: count,
  output_tokens: count,
  /** A decimal, as exact as the bill has it. */
  amount_usd: z.string().max(60).nullable().optional(),
});

export const reconcileSchema = closedObject({
  /** The first day, and the one after the last, in UTC. */
  from: daySchema,
  to: daySchema,
  /** Names of the config that one bill is about; without it, every provider that tells its usage, one by one. */
  providers: z.array(z.string().min(1).max(64)).min(1).max(100).optional(),
  /** A bill to compare with; without it the provider's usage API is asked. */
  billed: z.array(billedRowSchema).max(10_000).optional(),
  /** Names of the bill and the ledger's names for them, where they are too unlike. */
  models: z.record(z.string().max(512), z.string().min(1).max(512)).optional(),
}).openapi('Reconcile');

const difference = { difference_nano_usd: nano, difference_usd: z.string() };

const reconciledRowSchema = z.object({
  day: z.string(),
  model: z.string(),
  /** `equal`, `rounding`, `unpriced`: explained. `price`, `usage`, `amount`, `not_in_ledger`, `not_billed`, `no_amount`: not. */
  cause: z.string(),
  ledger: z
    .object({
      entries: z.number().int(),
      unpriced_entries: z.number().int(),
      input_tokens: z.number().int(),
      output_tokens: z.number().int(),
      amount_nano_usd: nano,
      amount_usd: z.string(),
    })
    .nullable(),
  billed: z
    .object({
      input_tokens: z.number().int().nullable(),
      output_tokens: z.number().int().nullable(),
      amount_nano_usd: nano.nullable(),
      amount_usd: z.string().nullable(),
    })
    .nullable(),
  ...difference,
});

const reconciliationSchema = z.object({
  object: z.literal('ledger.reconciliation'),
  from: z.string(),
  to: z.string(),
  providers: z.array(z.string()),
  source: z.enum(['usage_api', 'bill']),
  ledger_nano_usd: nano,
  ledger_usd: z.string(),
  billed_nano_usd: nano,
  billed_usd: z.string(),
  ...difference,
  explained_nano_usd: nano,
  explained_usd: z.string(),
  /** What nothing accounts for: ledger + explained + unexplained = billed, to the nano-dollar. */
  unexplained_nano_usd: nano,
  unexplained_usd: z.string(),
  causes: z.array(z.object({ cause: z.string(), rows: z.number().int(), ...difference })),
  data: z.array(reconciledRowSchema),
});

export const reconciliationsSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(reconciliationSchema),
    /** Providers that nothing was compared for, and why. */
    skipped: z.array(z.object({ provider: z.string(), reason: z.string() })),
  })
  .openapi('Reconciliations');

export type ReconcileInput = z.infer<typeof reconcileSchema>;
export type Reconciliations = z.infer<typeof reconciliationsSchema>;

const providerBatchSchema = z.object({
  batch_id: z.string(),
  shard_id: z.string(),
  provider: z.string(),
  provider_batch_id: z.string().nullable(),
  model: z.string(),
  submitted_at: z.number().int().nullable(),
  /**
   * `equal`, `differs`; `running`; `not_told`: the provider says nothing of usage; `removed`: it was, after its results
   * were read; `unknown_at_provider`; `unreachable`.
   */
  state: z.enum(['equal', 'differs', 'running', 'not_told', 'removed', 'unknown_at_provider', 'unreachable']),
  provider_status: z.string().nullable(),
  reason: z.string().nullable(),
  ledger_entries: z.number().int(),
  ledger_input_tokens: z.number().int(),
  ledger_output_tokens: z.number().int(),
  ledger_nano_usd: nano,
  ledger_usd: z.string(),
  billed_input_tokens: z.number().int().nullable(),
  billed_output_tokens: z.number().int().nullable(),
});

export const providerBatchesSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(providerBatchSchema),
    /** What providers hold under this installation's mark and no row knows; the search for orphans removes it. */
    orphans: z.array(
      z.object({
        provider: z.string(),
        kind: z.string(),
        id: z.string(),
        token: z.string(),
        created_at: z.number(),
        live: z.boolean(),
      }),
    ),
    /** Providers that could not be searched for orphans. */
    unreachable: z.array(z.object({ provider: z.string(), reason: z.string() })),
    has_more: z.boolean(),
    last_id: z.string().nullable(),
  })
  .openapi('ProviderBatchAccounts');

export type ProviderBatchAccount = z.infer<typeof providerBatchSchema>;
export type ProviderBatchAccounts = z.infer<typeof providerBatchesSchema>;
