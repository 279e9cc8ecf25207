import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Deps } from '../../ports/deps.ts';
import {
  evalCreateSchema,
  evalDeletedSchema,
  evalPageSchema,
  evalSchema,
  evalUpdateSchema,
} from '../../protocol/eval.ts';
import { createEval } from '../../services/evals/create.ts';
import { deleteEval } from '../../services/evals/delete.ts';
import { listEvals } from '../../services/evals/list.ts';
import { retrieveEval } from '../../services/evals/retrieve.ts';
import { updateEval } from '../../services/evals/update.ts';
import type { AppEnv } from '../env.ts';
import { pageQuery } from '../page-query.ts';

const tags = ['Evals'];
const params = z.object({ id: z.string() });
const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });
const answer = { 200: { description: 'The eval', content: json(evalSchema) } };

const create = createRoute({
  method: 'post',
  path: '/v1/evals',
  tags,
  summary: 'Create an eval: what its items look like, and how answers are graded',
  description:
    "As OpenAI, with the graders `numeric`, `regex`, `contains`, `json_schema` and the composites `all`, `any`, `not` and `weighted` beside OpenAI's; `python` is refused.",
  request: { body: { required: true, content: json(evalCreateSchema) } },
  responses: { 201: { description: 'The eval', content: json(evalSchema) } },
});

const list = createRoute({
  method: 'get',
  path: '/v1/evals',
  tags,
  summary: 'List evals',
  request: {
    query: pageQuery({ max: 100, fallback: 20 }).extend({
      order: z.enum(['asc', 'desc']).default('asc'),
      order_by: z.enum(['created_at', 'updated_at']).default('created_at'),
    }),
  },
  responses: { 200: { description: 'A page of evals', content: json(evalPageSchema) } },
});

const retrieve = createRoute({
  method: 'get',
  path: '/v1/evals/{id}',
  tags,
  summary: 'Retrieve an eval',
  request: { params },
  responses: answer,
});

const update = createRoute({
  method: 'post',
  path: '/v1/evals/{id}',
  tags,
  summary: 'Rename an eval, or replace its metadata',
  request: { params, body: { required: true, content: json(evalUpdateSchema) } },
  responses: answer,
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/evals/{id}',
  tags,
  summary: 'Delete an eval with its runs',
  request: { params },
  responses: { 200: { description: 'What was deleted', content: json(evalDeletedSchema) } },
});

/** `/v1/evals` */
export function registerEvals(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  app.openapi(create, async (c) => c.json(await createEval(deps, c.get('context'), c.req.valid('json')), 201));
  app.openapi(list, async (c) => {
    const { order_by: orderBy, ...query } = c.req.valid('query');
    return c.json(await listEvals(deps, c.get('context'), { ...query, orderBy }), 200);
  });
  app.openapi(retrieve, async (c) => c.json(await retrieveEval(deps, c.get('context'), c.req.valid('param').id), 200));
  app.openapi(update, async (c) =>
    c.json(await updateEval(deps, c.get('context'), c.req.valid('param').id, c.req.valid('json')), 200),
  );
  app.openapi(remove, async (c) => c.json(await deleteEval(deps, c.get('context'), c.req.valid('param').id), 200));
}
