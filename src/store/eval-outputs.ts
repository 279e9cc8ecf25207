import { and, asc, desc, eq, getTableColumns, gt, gte, lt, type SQL, sql } from '#drizzle';
import type { EvalItemRow, EvalOutputQuery, EvalOutputRow } from '../ports/store-evals.ts';
import type { EvalRow } from '../protocol/eval-run.ts';
import type { Database, Statement } from './client.ts';
import { LINE_AMOUNT } from './ledger-source.ts';
import { evalItems } from './schema/eval-items.ts';
import { evalOutputs } from './schema/eval-outputs.ts';
import { BULK_ROWS, bulkRows, type Cell } from './text.ts';

const { runId: _runId, ...storedColumns } = getTableColumns(evalOutputs);

/**
 * What the ledger has of the line that brought an output, corrections with it: it may be adjusted, or priced anew, after the
 * output was kept. What was kept where the ledger has nothing. The n-th line of the target's batch is for the n-th item.
 */
export const OUTPUT_COST = sql.raw(`(
  select iif(count(*) = 0, eval_outputs.cost_nano, ${LINE_AMOUNT})
  from eval_targets t cross join ledger_entries e
  where t.run_id = eval_outputs.run_id and t.target = eval_outputs.target
    and e.batch_id = t.batch_id and e.line = eval_outputs.item + 1)`) as SQL<number | null>;

const outputColumns = { ...storedColumns, costNano: OUTPUT_COST };

/** See StoreEvals.items. */
export async function readItems(
  database: Database,
  runId: string,
  from: number,
  limit: number,
): Promise<EvalItemRow[]> {
  return database.orm
    .select({ item: evalItems.item, row: evalItems.content })
    .from(evalItems)
    .where(and(eq(evalItems.runId, runId), gte(evalItems.item, from)))
    .orderBy(asc(evalItems.item))
    .limit(limit);
}

/** See StoreEvals.outputs. */
export async function readOutputs(
  database: Database,
  runId: string,
  { target, status, after, order, limit }: EvalOutputQuery,
): Promise<(EvalOutputRow & { row: EvalRow })[]> {
  const isDescending = order === 'desc';
  const direct = isDescending ? desc : asc;
  const rows = await database.orm
    .select({ ...outputColumns, row: evalItems.content })
    .from(evalOutputs)
    .innerJoin(evalItems, and(eq(evalItems.runId, evalOutputs.runId), eq(evalItems.item, evalOutputs.item)))
    .where(
      and(
        eq(evalOutputs.runId, runId),
        target === undefined ? undefined : eq(evalOutputs.target, target),
        status === undefined ? undefined : eq(evalOutputs.status, status),
        after === undefined ? undefined : beyond(after, target, order),
      ),
    )
    .orderBy(direct(evalOutputs.target), direct(evalOutputs.item))
    .limit(limit);
  return rows;
}

/** Of one target the items alone are compared: the index is no help for both together when it has the target already. */
function beyond(
  after: { target: number; item: number },
  target: number | undefined,
  order: 'asc' | 'desc' | undefined,
): SQL {
  if (target === after.target) return (order === 'desc' ? lt : gt)(evalOutputs.item, after.item);
  const sign = sql.raw(order === 'desc' ? '<' : '>');
  return sql`(${evalOutputs.target}, ${evalOutputs.item}) ${sign} (${after.target}, ${after.item})`;
}

/** Objects go as their JSON's text: as parts of the statement's own JSON they could be nested deeper than it may be. */
const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));

const COLUMNS: readonly (readonly [name: string, value: (row: EvalOutputRow) => Cell])[] = [
  ['target', (row) => row.target],
  ['item', (row) => row.item],
  ['status', (row) => row.status],
  ['score', (row) => row.score],
  ['sample', (row) => json(row.sample)],
  ['subject', (row) => json(row.subject)],
  ['calls', (row) => row.calls],
  ['answers', (row) => json(row.answers)],
  ['results', (row) => json(row.results)],
  ['provider', (row) => row.provider],
  ['model', (row) => row.model],
  ['latency_ms', (row) => row.latencyMs],
  ['cost_nano', (row) => row.costNano],
  ['input_tokens', (row) => row.inputTokens],
  ['output_tokens', (row) => row.outputTokens],
  ['truncated', (row) => Number(row.truncated)],
  ['refused', (row) => Number(row.refused)],
  ['created_at', (row) => row.createdAt],
];

/** Adds items; those that are there already stay. */
export function insertItems(runId: string, items: readonly EvalItemRow[]): Statement {
  return {
    sql: `insert into eval_items (run_id, item, content) with ${BULK_ROWS}
          select ?, v ->> 0, v ->> 1 from r where true on conflict do nothing`,
    args: [bulkRows(items.map(({ item, row }) => [item, json(row)])), runId],
  };
}

/** Adds outputs; those that are there already stay. */
export function insertOutputs(runId: string, outputs: readonly EvalOutputRow[]): Statement {
  const names = COLUMNS.map(([name]) => name);
  return {
    sql: `insert into eval_outputs (run_id, ${names}) with ${BULK_ROWS}
          select ?, ${names.map((_, index) => `v ->> ${index}`)} from r where true on conflict do nothing`,
    args: [bulkRows(outputs.map((row) => COLUMNS.map(([, value]) => value(row)))), runId],
  };
}

/** Keeps what the judges answered, in place of what was kept. */
export function keepAnswers(
  runId: string,
  target: number,
  answers: readonly { item: number; answers: Record<string, unknown> }[],
): Statement {
  return {
    sql: `with ${BULK_ROWS} update eval_outputs set answers = v ->> 1 from r
          where run_id = ? and target = ? and item = v ->> 0`,
    args: [bulkRows(answers.map((one) => [one.item, json(one.answers)])), runId, target],
  };
}

/** Keeps grades; the judges' answers, which stand in the results as far as they count, go. */
export function keepGrades(
  runId: string,
  target: number,
  grades: readonly Pick<EvalOutputRow, 'item' | 'status' | 'score' | 'results'>[],
): Statement {
  const rows = grades.map(({ item, status, score, results }) => [item, status, score, json(results)]);
  return {
    sql: `with ${BULK_ROWS} update eval_outputs set status = v ->> 1, score = v ->> 2, results = v ->> 3, answers = null
          from r where run_id = ? and target = ? and item = v ->> 0`,
    args: [bulkRows(rows), runId, target],
  };
}
