import { and, asc, desc, eq, getTableColumns, gt, inArray, isNull, lt, sql } from '#drizzle';
import type { EvalLease, EvalRunRow, EvalTargetRow, StoreEvals } from '../ports/store-evals.ts';
import type { Scope } from '../ports/store-query.ts';
import { type Database, type Statement, statementOf } from './client.ts';
import { inScope } from './cursor.ts';
import { evalRuns } from './schema/eval-runs.ts';
import { evalTargets } from './schema/eval-targets.ts';
import { evalRunEventStatement } from './webhook-outbox.ts';

const {
  seq: _seq,
  open: _open,
  leaseToken: _leaseToken,
  leaseUntil: _leaseUntil,
  nextAt: _nextAt,
  ...columns
} = getTableColumns(evalRuns);

/** See StoreEvals.insertRun. */
export async function insertRun(
  database: Database,
  run: EvalRunRow,
  targets: readonly EvalTargetRow[],
): Promise<EvalLease> {
  await database.write([
    statementOf(
      database.orm
        .insert(evalRuns)
        .values({ ...run, open: 1, nextAt: 0 })
        .onConflictDoNothing(),
    ),
    statementOf(
      database.orm
        .insert(evalTargets)
        .values([...targets])
        .onConflictDoNothing(),
    ),
  ]);
  return (await getRun(database, 'all', run.evalId, run.id)) ?? { run, targets: [...targets] };
}

/** See StoreEvals.getRun. */
export async function getRun(database: Database, scope: Scope, evalId: string, id: string): Promise<EvalLease | null> {
  const run = await database.orm
    .select(columns)
    .from(evalRuns)
    .where(and(eq(evalRuns.id, id), eq(evalRuns.evalId, evalId), inScope(evalRuns, scope), isNull(evalRuns.deletedAt)))
    .get();
  if (run === undefined) return null;
  return (await withTargets(database, [run]))[0] ?? null;
}

/** See StoreEvals.listRuns. */
export async function listRuns(
  database: Database,
  evalId: string,
  { limit, after, order, status }: Parameters<StoreEvals['listRuns']>[1],
): Promise<EvalLease[] | null> {
  let beyond: ReturnType<typeof gt> | undefined;
  if (after !== undefined) {
    const cursor = await database.orm
      .select({ seq: evalRuns.seq })
      .from(evalRuns)
      .where(and(eq(evalRuns.id, after), eq(evalRuns.evalId, evalId)))
      .get();
    if (cursor === undefined) return null;
    beyond = (order === 'desc' ? lt : gt)(evalRuns.seq, cursor.seq);
  }
  const isListed = and(
    eq(evalRuns.evalId, evalId),
    isNull(evalRuns.deletedAt),
    status === undefined ? undefined : eq(evalRuns.status, status),
    beyond,
  );
  const runs = await database.orm
    // A hundred runs may hold a hundred megabytes of items.
    .select({ ...columns, content: sql<null>`null` })
    .from(evalRuns)
    .where(isListed)
    .orderBy(order === 'desc' ? desc(evalRuns.seq) : asc(evalRuns.seq))
    .limit(limit);
  return withTargets(database, runs);
}

/** Runs with their targets, in order. */
export async function withTargets(database: Database, runs: readonly EvalRunRow[]): Promise<EvalLease[]> {
  if (runs.length === 0) return [];
  const rows = await database.orm
    .select()
    .from(evalTargets)
    .where(
      inArray(
        evalTargets.runId,
        runs.map(({ id }) => id),
      ),
    )
    .orderBy(evalTargets.runId, evalTargets.target);
  const byRun = Map.groupBy(rows, ({ runId }) => runId);
  return runs.map((run) => ({ run, targets: byRun.get(run.id) ?? [] }));
}

/** The runs of these places in the table, longest waiting first. */
export async function runsAt(database: Database, seqs: readonly number[]): Promise<EvalLease[]> {
  if (seqs.length === 0) return [];
  const runs = await database.orm
    .select(columns)
    .from(evalRuns)
    .where(inArray(evalRuns.seq, [...seqs]))
    .orderBy(evalRuns.nextAt, evalRuns.seq);
  return withTargets(database, runs);
}

/** See StoreEvals.cancelRun. */
export async function cancelRun(
  database: Database,
  scope: Scope,
  evalId: string,
  id: string,
  now: number,
): Promise<EvalLease | null> {
  const stop = database.orm
    .update(evalRuns)
    .set({ status: 'canceled', endedAt: now, open: 1, nextAt: 0 })
    .where(
      and(
        eq(evalRuns.id, id),
        eq(evalRuns.evalId, evalId),
        inScope(evalRuns, scope),
        isNull(evalRuns.deletedAt),
        inArray(evalRuns.status, ['queued', 'in_progress']),
      ),
    );
  await database.write([statementOf(stop), evalRunEventStatement(id)]);
  return getRun(database, scope, evalId, id);
}

/** Marks runs as deleted, and stops those that have not ended: what they hold is removed in the background. */
export function deleteRuns(database: Database, now: number, runs: { evalId: string; id?: string }): Statement {
  const isLive = sql`${evalRuns.status} in ('queued', 'in_progress')`;
  return statementOf(
    database.orm
      .update(evalRuns)
      .set({
        deletedAt: now,
        status: sql`case when ${isLive} then 'canceled' else ${evalRuns.status} end`,
        endedAt: sql`coalesce(${evalRuns.endedAt}, ${now})`,
        open: 1,
        nextAt: 0,
      })
      .where(
        and(
          eq(evalRuns.evalId, runs.evalId),
          isNull(evalRuns.deletedAt),
          runs.id === undefined ? undefined : eq(evalRuns.id, runs.id),
        ),
      ),
  );
}
