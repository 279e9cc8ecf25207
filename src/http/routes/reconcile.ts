import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Deps } from '../../ports/deps.ts';
import {
  daySchema,
  providerBatchesSchema,
  reconcileSchema,
  reconciliationsSchema,
} from '../../protocol/reconciliation.ts';
import { batchRepricingSchema } from '../../protocol/repricing.ts';
import { requireAdmin } from '../../services/keys/require-admin.ts';
import { readSeconds } from '../../services/ledger/filter.ts';
import { reconcileBatches } from '../../services/reconcile/provider-batches.ts';
import { providerNamed, readDays, reconcileLedger } from '../../services/reconcile/reconcile.ts';
import { repriceBatch } from '../../services/reconcile/reprice.ts';
import type { AppEnv } from '../env.ts';
import { chooseFormat, jsonAnswer, TABLE_FORMATS, tableAnswer } from '../tabular.ts';

const tags = ['Ledger'];
const tables = { 'text/csv': { schema: z.string() }, 'application/jsonl': { schema: z.string() } };

const reconcile = createRoute({
  method: 'post',
  path: '/v1/ledger/reconciliations',
  tags,
  summary: 'Compare the ledger with what providers bill, by day and model; reads only',
  description:
    'For administrators. `billed` is a bill of the named `providers`; without it their usage APIs are asked. What has no cause is in `unexplained_nano_usd`.',
  request: {
    query: z.object({ format: z.enum(TABLE_FORMATS).optional() }),
    body: { required: true, content: { 'application/json': { schema: reconcileSchema } } },
  },
  responses: {
    200: {
      description: 'One comparison for the bill, or for each provider; as CSV or JSONL its rows alone',
      content: { 'application/json': { schema: reconciliationsSchema }, ...tables },
    },
  },
});

const name = z.string().min(1).max(512).optional();

const reprice = createRoute({
  method: 'get',
  path: '/v1/batches/{id}/repricing',
  tags: ['Batches'],
  summary: 'What a batch would have cost elsewhere, or by the prices of another day; reads only',
  description: 'The tokens that were used, at the rates of what is named; what is not named is as it was.',
  request: {
    params: z.object({ id: z.string() }),
    query: z.object({
      provider: name.openapi({ description: 'A provider of the config.' }),
      model: name.openapi({ description: 'The name that the provider knows the model by.' }),
      mode: z.enum(['batch', 'standard']).optional(),
      prices_at: name.openapi({ description: 'Unix seconds or an ISO date (UTC).' }),
      format: z.enum(TABLE_FORMATS).optional(),
    }),
  },
  responses: {
    200: {
      description: 'Both sums, in all and by target',
      content: { 'application/json': { schema: batchRepricingSchema }, ...tables },
    },
  },
});

const batches = createRoute({
  method: 'get',
  path: '/v1/ledger/reconciliations/batches',
  tags,
  summary: 'Compare provider batches with the ledger, token by token, and list orphans; reads only',
  description: 'For administrators. Every provider batch submitted on these days (UTC; `to` excluded) is asked for.',
  request: {
    query: z.object({
      from: daySchema,
      to: daySchema,
      provider: name,
      after: name.openapi({ description: 'The `last_id` of the page before.' }),
      format: z.enum(TABLE_FORMATS).optional(),
    }),
  },
  responses: {
    200: {
      description: 'Provider batches, and what is at providers that nobody knows',
      content: { 'application/json': { schema: providerBatchesSchema }, ...tables },
    },
  },
});

/** `/v1/ledger/reconciliations`, for administrators, and `/v1/batches/{id}/repricing`. */
export function registerReconcile(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  app.openapi(reconcile, async (c) => {
    const { actor, signal } = c.get('context');
    requireAdmin(actor);
    const found = await reconcileLedger(deps, c.req.valid('json'), signal);
    const format = chooseFormat(TABLE_FORMATS, c.req.valid('query').format, c.req.header('accept'));
    if (format === 'json') return jsonAnswer(found);
    const rows = found.data.flatMap(({ providers, data }) => data.map((row) => flatRow(providers, row)));
    return tableAnswer(format, 'reconciliation', Object.keys(rows[0] ?? {}), [rows]);
  });
  app.openapi(batches, async (c) => {
    const { actor, signal } = c.get('context');
    requireAdmin(actor);
    const { from, to, provider, after, format: asked } = c.req.valid('query');
    const providers = provider === undefined ? [...deps.providers.values()] : [providerNamed(deps, provider)];
    const days = readDays({ from, to });
    const found = await reconcileBatches(deps, { ...days, after: after ?? null, providers }, signal);
    const format = chooseFormat(TABLE_FORMATS, asked, c.req.header('accept'));
    if (format === 'json') return jsonAnswer(found);
    return tableAnswer(format, 'provider-batches', Object.keys(found.data[0] ?? {}), [found.data]);
  });
  app.openapi(reprice, async (c) => {
    const { provider, model, mode, prices_at: at, format: asked } = c.req.valid('query');
    const found = await repriceBatch(deps, c.get('context'), c.req.valid('param').id, {
      provider,
      model,
      ...(mode !== undefined && { isBatch: mode === 'batch' }),
      at: readSeconds('prices_at', at),
    });
    const format = chooseFormat(TABLE_FORMATS, asked, c.req.header('accept'));
    if (format === 'json') return jsonAnswer(found);
    return tableAnswer(format, 'repricing', Object.keys(found.data[0] ?? {}), [found.data]);
  });
}

type Row = Awaited<ReturnType<typeof reconcileLedger>>['data'][number]['data'][number];

function flatRow(providers: readonly string[], { ledger, billed, ...row }: Row) {
  return {
    providers: providers.join(' '),
    day: row.day,
    model: row.model,
    cause: row.cause,
    entries: ledger?.entries ?? 0,
    unpriced_entries: ledger?.unpriced_entries ?? 0,
    ledger_input_tokens: ledger?.input_tokens ?? 0,
    ledger_output_tokens: ledger?.output_tokens ?? 0,
    ledger_usd: ledger?.amount_usd ?? null,
    billed_input_tokens: billed?.input_tokens ?? null,
    billed_output_tokens: billed?.output_tokens ?? null,
    billed_usd: billed?.amount_usd ?? null,
    difference_nano_usd: row.difference_nano_usd,
    difference_usd: row.difference_usd,
  };
}
