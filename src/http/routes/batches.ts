import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { ApiError } from '../../core/api-error.ts';
import { invalidRequest } from '../../core/invalid-request.ts';
import type { Deps } from '../../ports/deps.ts';
import {
  BATCH_PRIORITY_MAX,
  BATCH_SORTS,
  BATCH_STATUSES,
  batchCreateSchema,
  batchPageSchema,
  batchSchema,
} from '../../protocol/batch.ts';
import { closedObject } from '../../protocol/closed-object.ts';
import { cancelBatch } from '../../services/batches/cancel.ts';
import { createBatch } from '../../services/batches/create.ts';
import { listBatches } from '../../services/batches/list.ts';
import { pauseBatch, resumeBatch } from '../../services/batches/pause.ts';
import { retrieveBatch } from '../../services/batches/retrieve.ts';
import { retryBatch } from '../../services/batches/retry.ts';
import type { AppEnv } from '../env.ts';
import { pageQuery, tenantParameter } from '../page-query.ts';

const tags = ['Batches'];
const params = z.object({ id: z.string() });
const batchAnswer = (description: string) => ({
  200: { description, content: { 'application/json': { schema: batchSchema } } },
});

const time = z.coerce.number().int().min(0).optional();
const listQuery = pageQuery({ max: 100, fallback: 20 }).extend({
  status: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(BATCH_STATUSES)))
    .optional()
    .openapi({ type: 'string', description: 'One status or several, joined by commas.', example: 'failed,expired' }),
  search: z.string().min(1).max(200).optional().openapi({
    description: 'Text in the id, the route, the model, the metadata or the name of the input file; any case.',
  }),
  created_from: time.openapi({ description: 'Unix seconds, inclusive.' }),
  created_before: time.openapi({ description: 'Unix seconds, exclusive.' }),
  sort: z.enum(BATCH_SORTS).optional().openapi({ description: 'By what; `created_at` unless named.' }),
  tenant_id: tenantParameter,
});

const create = createRoute({
  method: 'post',
  path: '/v1/batches',
  tags,
  summary: 'Create a batch from an uploaded file',
  description:
    'As OpenAI, with `completion_window` also `immediate` or any `<n>m`, `<n>h`, `<n>d`, and a route in `config` or the header `x-weir-config`.',
  request: { body: { required: true, content: { 'application/json': { schema: batchCreateSchema } } } },
  responses: batchAnswer('The batch, in status `validating`'),
});

const list = createRoute({
  method: 'get',
  path: '/v1/batches',
  tags,
  summary: 'List batches, newest first unless sorted otherwise',
  request: { query: listQuery },
  responses: {
    200: { description: 'A page of batches', content: { 'application/json': { schema: batchPageSchema } } },
  },
});

const retrieve = createRoute({
  method: 'get',
  path: '/v1/batches/{id}',
  tags,
  summary: 'Retrieve a batch, with the provider batches that run parts of it',
  request: { params, query: z.object({ include_provider_details: z.enum(['true', 'false']).optional() }) },
  responses: batchAnswer('The batch'),
});

const verbs = [
  { verb: 'cancel', summary: 'Stop a batch; what is in flight finishes', run: cancelBatch },
  { verb: 'pause', summary: 'Hold a batch', run: pauseBatch },
  { verb: 'resume', summary: 'Let a held batch go on', run: resumeBatch },
  { verb: 'retry', summary: 'Create a batch of only the failed, expired or cancelled lines', run: retryBatch },
] as const;

/** A priority as a header gives it; null for none. Throws ApiError 400. */
function readPriority(text: string | undefined): number | null {
  if (text === undefined) return null;
  const priority = Number(text);
  if (/^-?\d{1,2}$/.test(text) && Math.abs(priority) <= BATCH_PRIORITY_MAX) return priority;
  const message = `x-weir-priority must be a whole number from -${BATCH_PRIORITY_MAX} to ${BATCH_PRIORITY_MAX}.`;
  throw new ApiError(400, message, { code: 'invalid_value', param: 'x-weir-priority' });
}

const noMembers = closedObject({});

/** Whoever retries with a route or a window, which a retry has of its batch, would be charged for what was not asked for. */
async function refuseMembers(c: Context<AppEnv>): Promise<void> {
  if ((await c.req.text()).trim() === '') return;
  const body: unknown = await c.req.json().catch(() => null);
  const checked = noMembers.nullable().safeParse(body);
  if (!checked.success) throw invalidRequest(checked.error, body);
}

/** `/v1/batches` */
export function registerBatches(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  app.openapi(create, async (c) => {
    const body = c.req.valid('json');
    const config = body.config ?? c.req.header('x-weir-config') ?? c.req.header('x-portkey-config');
    const priority = body.priority ?? readPriority(c.req.header('x-weir-priority'));
    return c.json(await createBatch(deps, c.get('context'), { ...body, config, priority }), 200);
  });
  app.openapi(list, async (c) => {
    const { status, created_from, created_before, tenant_id, ...query } = c.req.valid('query');
    const filter = { statuses: status, createdFrom: created_from, createdBefore: created_before, tenantId: tenant_id };
    return c.json(await listBatches(deps, c.get('context'), { ...query, ...filter }), 200);
  });
  app.openapi(retrieve, async (c) => {
    const details = c.req.valid('query').include_provider_details === 'true';
    return c.json(await retrieveBatch(deps, c.get('context'), c.req.valid('param').id, details), 200);
  });
  for (const { verb, summary, run } of verbs) {
    const route = createRoute({
      method: 'post',
      path: `/v1/batches/{id}/${verb}`,
      tags,
      summary,
      request: { params },
      responses: batchAnswer('The batch'),
    });
    app.openapi(route, async (c) => {
      if (verb === 'retry') await refuseMembers(c);
      return c.json(await run(deps, c.get('context'), c.req.valid('param').id), 200);
    });
  }
}
