import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { csvReport } from '../../core/eval/csv-report.ts';
import type { Deps } from '../../ports/deps.ts';
import { evalChoiceCreateSchema, evalChoiceSchema } from '../../protocol/eval-choice.ts';
import { evalComparedItemPageSchema } from '../../protocol/eval-compared-item.ts';
import { evalComparisonSchema } from '../../protocol/eval-comparison.ts';
import { chooseRunTargets } from '../../services/evals/choose-targets.ts';
import { compareRun } from '../../services/evals/compare-run.ts';
import { comparedItems } from '../../services/evals/compared-items.ts';
import type { AppEnv } from '../env.ts';
import { pageQuery } from '../page-query.ts';

const tags = ['Evals'];
const BASE = '/v1/evals/{eval_id}/runs/{run_id}';
const RESAMPLES_MAX = 10_000;
const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });
const params = z.object({ eval_id: z.string(), run_id: z.string() });

const compare = createRoute({
  method: 'get',
  path: `${BASE}/comparison`,
  tags,
  summary: 'The targets of a run compared: quality with intervals, cost per accepted answer, agreement, the frontier',
  request: {
    params,
    query: z.object({
      seed: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
      resamples: z.coerce.number().int().min(100).max(RESAMPLES_MAX).default(2_000),
      format: z.enum(['json', 'csv']).default('json'),
    }),
  },
  responses: {
    200: {
      description: 'The comparison; as CSV, one line for each target',
      content: { ...json(evalComparisonSchema), 'text/csv': { schema: z.string() } },
    },
  },
});

const items = createRoute({
  method: 'get',
  path: `${BASE}/comparison/items`,
  tags,
  summary: 'Items of a run side by side, with what every target made of each',
  request: {
    params,
    query: pageQuery({ max: 100, fallback: 20 })
      .omit({ order: true })
      .extend({
        differing: z
          .enum(['true', 'false'])
          .default('false')
          .openapi({ description: 'Only items that some targets passed and others did not.' }),
      }),
  },
  responses: { 200: { description: 'A page of items', content: json(evalComparedItemPageSchema) } },
});

const choose = createRoute({
  method: 'post',
  path: `${BASE}/choice`,
  tags,
  summary:
    'Propose weights for the targets by dollars per accepted answer under a quality floor, and store them as a route',
  request: { params, body: { required: true, content: json(evalChoiceCreateSchema) } },
  responses: { 200: { description: 'The proposal with its reasons', content: json(evalChoiceSchema) } },
});

const pathOf = ({ eval_id: evalId, run_id: runId }: z.infer<typeof params>) => ({ evalId, runId });

/** What the targets of a run are beside each other. `changed` is told whose routes changed. */
export function registerEvalComparison(
  app: OpenAPIHono<AppEnv>,
  deps: Deps,
  changed: (tenantId: string) => void,
): void {
  app.openapi(compare, async (c) => {
    const { format, ...options } = c.req.valid('query');
    const comparison = await compareRun(deps, c.get('context'), pathOf(c.req.valid('param')), options);
    if (format === 'json') return c.json(comparison, 200);
    return c.body(csvReport(comparison), 200, {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': 'attachment; filename="comparison.csv"',
    });
  });
  app.openapi(items, async (c) => {
    const { differing, ...query } = c.req.valid('query');
    const wanted = { ...query, differing: differing === 'true' };
    return c.json(await comparedItems(deps, c.get('context'), pathOf(c.req.valid('param')), wanted), 200);
  });
  app.openapi(choose, async (c) => {
    const context = c.get('context');
    const choice = await chooseRunTargets(deps, context, pathOf(c.req.valid('param')), c.req.valid('json'));
    if (choice.applied_to !== null) changed(context.actor.tenantId);
    return c.json(choice, 200);
  });
}
