import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context as HonoContext } from 'hono';
import type { Deps } from '../../ports/deps.ts';
import { EVAL_ITEM_STATUSES, evalOutputItemPageSchema, evalOutputItemSchema } from '../../protocol/eval-output-item.ts';
import {
  EVAL_RUN_STATUSES,
  evalRunCreateSchema,
  evalRunDeletedSchema,
  evalRunPageSchema,
  evalRunSchema,
} from '../../protocol/eval-run.ts';
import { cancelRun } from '../../services/evals/cancel-run.ts';
import { createRun } from '../../services/evals/create-run.ts';
import { deleteRun } from '../../services/evals/delete-run.ts';
import { listRuns } from '../../services/evals/list-runs.ts';
import { listOutputItems, retrieveOutputItem } from '../../services/evals/output-items.ts';
import { retrieveRun } from '../../services/evals/retrieve-run.ts';
import type { AppEnv } from '../env.ts';
import { pageQuery } from '../page-query.ts';

const tags = ['Evals'];
const BASE = '/v1/evals/{eval_id}/runs';
const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });
const ofEval = z.object({ eval_id: z.string() });
const ofRun = ofEval.extend({ run_id: z.string() });
const answer = { 200: { description: 'The run', content: json(evalRunSchema) } };
const oldestFirst = z.enum(['asc', 'desc']).default('asc');

const create = createRoute({
  method: 'post',
  path: BASE,
  tags,
  summary: 'Ask a model, or several targets, the items of a data source, and grade the answers',
  description:
    'As OpenAI, over any provider: `model` may be a route. `targets` asks several at once, `completion_window` (`immediate`) says when, and `config` names or holds a route, ' +
    'also as the header `x-weir-config`. Answers and judges run as batches; their ledger entries have the tags `eval_run_id`, `eval_target` and `eval_part` (`answer` or `judge`).',
  request: { params: ofEval, body: { required: true, content: json(evalRunCreateSchema) } },
  responses: { 201: { description: 'The run', content: json(evalRunSchema) } },
});

const list = createRoute({
  method: 'get',
  path: BASE,
  tags,
  summary: 'List the runs of an eval, without the rows that stood in their requests',
  request: {
    params: ofEval,
    query: pageQuery({ max: 100, fallback: 20 }).extend({
      order: oldestFirst,
      status: z.enum(EVAL_RUN_STATUSES).optional(),
    }),
  },
  responses: { 200: { description: 'A page of runs', content: json(evalRunPageSchema) } },
});

const retrieve = createRoute({
  method: 'get',
  path: `${BASE}/{run_id}`,
  tags,
  summary: 'Retrieve a run, with what it has cost so far',
  request: { params: ofRun },
  responses: answer,
});

/** The SDKs name the verb, OpenAI's reference does not. */
const cancels = [`${BASE}/{run_id}/cancel` as const, `${BASE}/{run_id}` as const].map((path) =>
  createRoute({
    method: 'post',
    path,
    tags,
    summary: 'Cancel a run; what is in flight finishes',
    request: { params: ofRun },
    responses: answer,
  }),
);

const remove = createRoute({
  method: 'delete',
  path: `${BASE}/{run_id}`,
  tags,
  summary: 'Delete a run with its items, answers and files',
  request: { params: ofRun },
  responses: { 200: { description: 'What was deleted', content: json(evalRunDeletedSchema) } },
});

const listItems = createRoute({
  method: 'get',
  path: `${BASE}/{run_id}/output_items`,
  tags,
  summary: 'List the items of a run with answers and grades, target by target',
  request: {
    params: ofRun,
    query: pageQuery({ max: 100, fallback: 20 }).extend({
      order: oldestFirst,
      status: z.enum(EVAL_ITEM_STATUSES).optional(),
      target: z.string().max(200).optional().openapi({ description: "One target's items only, by its name or place." }),
    }),
  },
  responses: { 200: { description: 'A page of items', content: json(evalOutputItemPageSchema) } },
});

const retrieveItem = createRoute({
  method: 'get',
  path: `${BASE}/{run_id}/output_items/{output_item_id}`,
  tags,
  summary: 'Retrieve one item of a run',
  request: { params: ofRun.extend({ output_item_id: z.string() }) },
  responses: { 200: { description: 'The item', content: json(evalOutputItemSchema) } },
});

const originOf = (c: HonoContext<AppEnv>): string => new URL(c.req.url).origin;
const pathOf = ({ eval_id: evalId, run_id: runId }: z.infer<typeof ofRun>) => ({ evalId, runId });

/** `/v1/evals/{eval_id}/runs` and what they made of each item. */
export function registerEvalRuns(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  app.openapi(create, async (c) => {
    const body = c.req.valid('json');
    const config = body.config ?? c.req.header('x-weir-config') ?? c.req.header('x-portkey-config');
    const input = { ...body, config };
    return c.json(await createRun(deps, c.get('context'), c.req.valid('param').eval_id, input, originOf(c)), 201);
  });
  app.openapi(list, async (c) => {
    const query = { ...c.req.valid('query'), origin: originOf(c) };
    return c.json(await listRuns(deps, c.get('context'), c.req.valid('param').eval_id, query), 200);
  });
  app.openapi(retrieve, async (c) =>
    c.json(await retrieveRun(deps, c.get('context'), pathOf(c.req.valid('param')), originOf(c)), 200),
  );
  for (const cancel of cancels) {
    app.openapi(cancel, async (c) =>
      c.json(await cancelRun(deps, c.get('context'), pathOf(c.req.valid('param')), originOf(c)), 200),
    );
  }
  app.openapi(remove, async (c) => c.json(await deleteRun(deps, c.get('context'), pathOf(c.req.valid('param'))), 200));
  app.openapi(listItems, async (c) =>
    c.json(await listOutputItems(deps, c.get('context'), pathOf(c.req.valid('param')), c.req.valid('query')), 200),
  );
  app.openapi(retrieveItem, async (c) => {
    const { output_item_id: id, ...path } = c.req.valid('param');
    return c.json(await retrieveOutputItem(deps, c.get('context'), pathOf(path), id), 200);
  });
}
