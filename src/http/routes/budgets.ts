import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Deps } from '../../ports/deps.ts';
import {
  budgetCreateSchema,
  budgetDeletedSchema,
  budgetPageSchema,
  budgetSchema,
  budgetUpdateSchema,
} from '../../protocol/budget.ts';
import { createBudget } from '../../services/budgets/create.ts';
import { deleteBudget } from '../../services/budgets/delete.ts';
import { listBudgets } from '../../services/budgets/list.ts';
import { presentBudget } from '../../services/budgets/present.ts';
import { retrieveBudget } from '../../services/budgets/retrieve.ts';
import { updateBudget } from '../../services/budgets/update.ts';
import type { AppEnv } from '../env.ts';
import { pageQuery } from '../page-query.ts';

const tags = ['Budgets'];
const params = z.object({ id: z.string() });
const answer = {
  200: { description: 'The budget with its usage', content: { 'application/json': { schema: budgetSchema } } },
};
const body = <T extends z.ZodType>(schema: T) => ({ required: true, content: { 'application/json': { schema } } });

const create = createRoute({
  method: 'post',
  path: '/v1/budgets',
  tags,
  summary: 'Bound what a key, tenant, tag or route may spend',
  description:
    'A batch holds its highest estimate when it is created, a call what it may come to; both end with what was really spent. What ' +
    'does not fit is answered with 429 `insufficient_quota`. At the limit running batches stop: lines that were not sent end as ' +
    '`budget_exceeded`.',
  request: { body: body(budgetCreateSchema) },
  responses: answer,
});

const list = createRoute({
  method: 'get',
  path: '/v1/budgets',
  tags,
  summary: 'List budgets with what is spent, held and left',
  request: { query: pageQuery({ max: 100, fallback: 20 }) },
  responses: {
    200: { description: 'A page of budgets', content: { 'application/json': { schema: budgetPageSchema } } },
  },
});

const retrieve = createRoute({
  method: 'get',
  path: '/v1/budgets/{id}',
  tags,
  summary: 'A budget with what is spent, held and left',
  request: { params },
  responses: answer,
});

const update = createRoute({
  method: 'post',
  path: '/v1/budgets/{id}',
  tags,
  summary: 'Change a budget’s limit or rules; what it counts stays',
  request: { params, body: body(budgetUpdateSchema) },
  responses: answer,
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/budgets/{id}',
  tags,
  summary: 'Delete a budget',
  request: { params },
  responses: { 200: { description: 'Deleted', content: { 'application/json': { schema: budgetDeletedSchema } } } },
});

/** `/v1/budgets`, for administrators. `changed` is told of every change. */
export function registerBudgets(app: OpenAPIHono<AppEnv>, deps: Deps, changed: () => void): void {
  app.openapi(create, async (c) => {
    const budget = await createBudget(deps, c.get('context'), c.req.valid('json'));
    changed();
    return c.json(presentBudget(budget), 200);
  });
  app.openapi(list, async (c) => c.json(await listBudgets(deps, c.get('context'), c.req.valid('query')), 200));
  app.openapi(retrieve, async (c) => {
    const budget = await retrieveBudget(deps, c.get('context'), c.req.valid('param').id);
    return c.json(presentBudget(budget), 200);
  });
  app.openapi(update, async (c) => {
    const { id } = c.req.valid('param');
    const budget = await updateBudget(deps, c.get('context'), id, c.req.valid('json'));
    changed();
    return c.json(presentBudget(budget), 200);
  });
  app.openapi(remove, async (c) => {
    const { id } = c.req.valid('param');
    await deleteBudget(deps, c.get('context'), id);
    changed();
    return c.json({ id, object: 'budget' as const, deleted: true as const }, 200);
  });
}
