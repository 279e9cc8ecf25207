import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Deps } from '../../ports/deps.ts';
import { reconcileSchema, reconciliationsSchema } from '../../protocol/reconciliation.ts';
import { requireAdmin } from '../../services/keys/require-admin.ts';
import { reconcileLedger } from '../../services/reconcile/reconcile.ts';
import type { AppEnv } from '../env.ts';
import { chooseFormat, jsonAnswer, TABLE_FORMATS, tableAnswer } from '../tabular.ts';

const tags = ['Ledger'];

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
      content: {
        'application/json': { schema: reconciliationsSchema },
        'text/csv': { schema: z.string() },
        'application/jsonl': { schema: z.string() },
      },
    },
  },
});

/** `/v1/ledger/reconciliations`, for administrators. */
export function registerReconcile(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  app.openapi(reconcile, async (c) => {
    const { actor, signal } = c.get('context');
    requireAdmin(actor);
    const found = await reconcileLedger(deps, c.req.valid('json'), signal);
    const format = chooseFormat(c.req.valid('query').format, c.req.header('accept'));
    if (format === 'json') return jsonAnswer(found);
    const rows = found.data.flatMap(({ providers, data }) => data.map((row) => flatRow(providers, row)));
    return tableAnswer(format, 'reconciliation', Object.keys(rows[0] ?? {}), [rows]);
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
