import { and, asc, eq, gt, sql } from '#drizzle';
import type { EvalFigureQuery, EvalFigureRow } from '../ports/store-evals.ts';
import type { Database } from './client.ts';
import { OUTPUT_COST } from './eval-outputs.ts';
import { evalOutputs } from './schema/eval-outputs.ts';

// An answer that never came leaves its error in the sample; samples are never nested deeply, other than subjects.
const isAnswered = sql`coalesce(json_type(${evalOutputs.sample}, '$.error'), 'null') = 'null'`;

/** See StoreEvals.figures. */
export async function readFigures(
  database: Database,
  runId: string,
  { target, after, limit, withSubject }: EvalFigureQuery,
): Promise<EvalFigureRow[]> {
  const rows = await database.orm
    .select({
      item: evalOutputs.item,
      status: evalOutputs.status,
      score: evalOutputs.score,
      answered: sql<number>`${isAnswered}`,
      latencyMs: evalOutputs.latencyMs,
      costNano: OUTPUT_COST,
      inputTokens: evalOutputs.inputTokens,
      outputTokens: evalOutputs.outputTokens,
      truncated: evalOutputs.truncated,
      refused: evalOutputs.refused,
      subject: withSubject ? evalOutputs.subject : sql<null>`null`,
    })
    .from(evalOutputs)
    .where(and(eq(evalOutputs.runId, runId), eq(evalOutputs.target, target), gt(evalOutputs.item, after)))
    .orderBy(asc(evalOutputs.item))
    .limit(limit);
  return rows.map((row) => ({ ...row, answered: row.answered === 1 }));
}

/** See StoreEvals.differing. */
export async function readDiffering(
  database: Database,
  runId: string,
  { after, limit }: { after: number; limit: number },
): Promise<number[]> {
  const passed = sql`sum(${evalOutputs.status} = 'pass')`;
  const failed = sql`sum(${evalOutputs.status} = 'fail' or (${evalOutputs.status} = 'error' and not ${isAnswered}))`;
  const rows = await database.orm
    .select({ item: evalOutputs.item })
    .from(evalOutputs)
    .where(and(eq(evalOutputs.runId, runId), gt(evalOutputs.item, after)))
    .groupBy(evalOutputs.item)
    .having(sql`${passed} > 0 and ${failed} > 0`)
    .orderBy(asc(evalOutputs.item))
    .limit(limit);
  return rows.map(({ item }) => item);
}
