import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { ApiError } from '../../core/api-error.ts';
import { entryColumns, exportSchema, summaryColumns } from '../../core/export-columns.ts';
import type { Deps } from '../../ports/deps.ts';
import type { LedgerFilter } from '../../ports/store-ledger.ts';
import {
  ENTRY_STATUSES,
  gpuAccountsSchema,
  type LedgerEntryObject,
  ledgerAdjustmentSchema,
  ledgerAdjustSchema,
  ledgerEntryPageSchema,
  ledgerFiguresSchema,
  ledgerSummarySchema,
} from '../../protocol/ledger.ts';
import { exportSchemaSchema } from '../../protocol/ledger-export.ts';
import { requireAdmin } from '../../services/keys/require-admin.ts';
import { adjustLedger } from '../../services/ledger/adjust.ts';
import { exportEntries, listEntries } from '../../services/ledger/entries.ts';
import { toExportRow } from '../../services/ledger/export-row.ts';
import { type LedgerQuery, ledgerFilter, readSeconds } from '../../services/ledger/filter.ts';
import { gpuAccounts } from '../../services/ledger/gpus.ts';
import { batchFilter, parseGroups, type Summary, summarize, summarizeBatch } from '../../services/ledger/summary.ts';
import type { AppEnv } from '../env.ts';
import { chooseFormat, EXPORT_FORMATS, type ExportFormat, exportAnswer, jsonAnswer, PARQUET_TYPE } from '../tabular.ts';

const tags = ['Ledger'];
const pageRowsMax = 1_000;
const pageRows = 20;

const time = z.string().optional().openapi({ example: '2026-01-31' });
const text = z.string().min(1).max(512).optional();

const formatShape = {
  format: z.enum(EXPORT_FORMATS).optional().openapi({
    description:
      'Else the Accept header decides; CSV, JSONL and Parquet hold every row unless `limit` says less. Their columns: /v1/ledger/export-schema.',
  }),
};

const filterShape = {
  from: time.openapi({ description: 'Unix seconds or an ISO date (UTC), inclusive.' }),
  to: time.openapi({ description: 'Unix seconds or an ISO date (UTC), exclusive.' }),
  batch: text,
  provider: text,
  model: text,
  key: text.openapi({ description: 'An API key’s id.' }),
  status: z.enum(ENTRY_STATUSES).optional(),
  tag: z
    .string()
    .max(600)
    .optional()
    .openapi({ description: 'A metadata pair of the batch as `name:value`; `tag[name]=value` is the same.' }),
  tenant_id: z
    .string()
    .max(64)
    .optional()
    .openapi({ description: 'Another tenant, or `*` for all; for administrators.' }),
};

const pageShape = {
  limit: z.coerce.number().int().min(1).max(pageRowsMax).optional(),
  after: z.string().min(1).max(128).optional(),
  order: z.enum(['asc', 'desc']).default('desc'),
};

const entriesQuery = z.object({ ...filterShape, ...pageShape, ...formatShape });
const summaryQuery = z.object({
  ...filterShape,
  group_by: z
    .string()
    .max(1_000)
    .optional()
    .openapi({ description: 'Comma-separated; a tag as `tag:name`.', example: 'provider,model' }),
  ...formatShape,
});
const batchQuery = z.object({
  entries: z.enum(['true', 'false']).optional().openapi({ description: '`true`: the entries in place of the sums.' }),
  ...pageShape,
  ...formatShape,
});

const batchLedgerSchema = z
  .object({
    object: z.literal('batch.ledger'),
    batch_id: z.string(),
    data: z.array(ledgerFiguresSchema.extend({ target: z.string(), model: z.string(), status: z.string() })),
    total: ledgerFiguresSchema,
  })
  .openapi('BatchLedger');

const tables = {
  'text/csv': { schema: z.string() },
  'application/jsonl': { schema: z.string() },
  [PARQUET_TYPE]: { schema: z.string().openapi({ format: 'binary' }) },
};

const entries = createRoute({
  method: 'get',
  path: '/v1/ledger/entries',
  tags,
  summary: 'List ledger entries, one for each attempt that reached a provider',
  request: { query: entriesQuery },
  responses: {
    200: { description: 'Entries', content: { 'application/json': { schema: ledgerEntryPageSchema }, ...tables } },
  },
});

const summary = createRoute({
  method: 'get',
  path: '/v1/ledger/summary',
  tags,
  summary: 'Sum the ledger by time, provider, model, key, batch, tag, status or target',
  request: { query: summaryQuery },
  responses: {
    200: { description: 'Sums', content: { 'application/json': { schema: ledgerSummarySchema }, ...tables } },
  },
});

const adjust = createRoute({
  method: 'post',
  path: '/v1/ledger/adjustments',
  tags,
  summary: 'Price past entries by the prices known now: reversals and corrections, dated now; nothing is changed',
  description: 'For administrators. Takes the filters of the queries; `dry_run` is true unless it says false.',
  request: { body: { required: true, content: { 'application/json': { schema: ledgerAdjustSchema } } } },
  responses: {
    200: { description: 'What changed', content: { 'application/json': { schema: ledgerAdjustmentSchema } } },
  },
});

const columns = createRoute({
  method: 'get',
  path: '/v1/ledger/export-schema',
  tags,
  summary: 'The columns of exported entries and sums, with their types in CSV, JSONL and Parquet',
  responses: { 200: { description: 'Tables', content: { 'application/json': { schema: exportSchemaSchema } } } },
});

const gpus = createRoute({
  method: 'get',
  path: '/v1/ledger/gpus',
  tags,
  summary: 'What pools that are paid by the hour cost, for their working time and for the whole time',
  request: { query: z.object({ from: time, to: time }) },
  responses: {
    200: { description: 'By pool', content: { 'application/json': { schema: gpuAccountsSchema } } },
  },
});

const batch = createRoute({
  method: 'get',
  path: '/v1/batches/{id}/ledger',
  tags,
  summary: 'The account of one batch by target, model and status, or its entries',
  request: { params: z.object({ id: z.string() }), query: batchQuery },
  responses: {
    200: {
      description: 'Sums or entries',
      content: { 'application/json': { schema: z.union([batchLedgerSchema, ledgerEntryPageSchema]) }, ...tables },
    },
  },
});

/** `/v1/ledger/*` and `/v1/batches/{id}/ledger`: a tenant's own accounts; all tenants' for administrators who ask. */
export function registerLedger(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  app.openapi(entries, async (c) => {
    const query = c.req.valid('query');
    return entriesAnswer(c, deps, ledgerFilter(c.get('context').actor, withTag(c, query)), query);
  });
  app.openapi(summary, async (c) => {
    const query = c.req.valid('query');
    const filter = ledgerFilter(c.get('context').actor, withTag(c, query));
    const sums = await summarize(deps, filter, parseGroups(query.group_by));
    return summaryAnswer(c, query.format, sums, { object: 'list' });
  });
  app.openapi(adjust, async (c) => {
    const { actor, signal } = c.get('context');
    requireAdmin(actor);
    const { reason, dry_run: dryRun, only, prices_at: pricesAt, ...query } = c.req.valid('json');
    const filter = ledgerFilter(actor, query);
    const at = readSeconds('prices_at', pricesAt);
    const input = { filter, reason, dryRun, unpricedOnly: only === 'unpriced', pricesAt: at };
    return c.json(await adjustLedger(deps, input, signal), 200);
  });
  app.openapi(columns, (c) => c.json(exportSchema(), 200));
  app.openapi(gpus, async (c) => {
    requireAdmin(c.get('context').actor);
    const { from, to } = c.req.valid('query');
    return c.json(await gpuAccounts(deps, { from: readSeconds('from', from), to: readSeconds('to', to) }), 200);
  });
  app.openapi(batch, async (c) => {
    const query = c.req.valid('query');
    const { id } = c.req.valid('param');
    if (query.entries === 'true') {
      return entriesAnswer(c, deps, await batchFilter(deps, c.get('context'), id), query);
    }
    const sums = await summarizeBatch(deps, c.get('context'), id);
    return summaryAnswer(c, query.format, sums, { object: 'batch.ledger', batch_id: id });
  });
}

async function entriesAnswer(
  c: Context<AppEnv>,
  deps: Deps,
  filter: LedgerFilter,
  query: {
    limit?: number | undefined;
    after?: string | undefined;
    order: 'asc' | 'desc';
    format?: ExportFormat | undefined;
  },
): Promise<Response> {
  const { limit, after, order } = query;
  const format = chooseFormat(EXPORT_FORMATS, query.format, c.req.header('accept'));
  if (format === 'json') {
    return jsonAnswer(await listEntries(deps, filter, { limit: limit ?? pageRows, after, order }));
  }
  const pages = await exportEntries(deps, filter, { limit, after, order });
  return exportAnswer(format, 'ledger-entries', entryColumns, format === 'jsonl' ? pages : flat(pages));
}

function summaryAnswer(c: Context<AppEnv>, asked: ExportFormat | undefined, sums: Summary, head: object): Response {
  const format = chooseFormat(EXPORT_FORMATS, asked, c.req.header('accept'));
  if (format === 'json') return jsonAnswer({ ...head, data: sums.data, total: sums.total });
  return exportAnswer(format, 'ledger-summary', summaryColumns(sums.groups), [sums.data]);
}

async function* flat(pages: AsyncIterable<LedgerEntryObject[]>): AsyncGenerator<Record<string, unknown>[], void> {
  for await (const page of pages) yield page.map(toExportRow);
}

const tagParameter = /^tag\[(.+)\]$/;

/** Reads `tag[name]=value` beside `tag=name:value`; an account is filtered by one tag. */
function withTag(c: Context<AppEnv>, query: LedgerQuery): LedgerQuery {
  const found = [...new URL(c.req.url).searchParams].flatMap(([name, value]) => {
    const key = tagParameter.exec(name)?.[1];
    return key === undefined ? [] : [{ key, value }];
  });
  const first = found[0];
  if (first === undefined) return query;
  if (found.length > 1 || query.tag !== undefined) {
    throw new ApiError(400, "Only one 'tag' can be filtered by.", { code: 'invalid_value', param: 'tag' });
  }
  return { ...query, tag: first };
}
