import { and, eq, inArray, ne } from '#drizzle';
import { LIVE_STATUSES } from '../core/batch-state.ts';
import type { EvalItemRow, EvalLease, EvalStep, StoreEvalWork } from '../ports/store-evals.ts';
import { type Argument, type Database, type Statement, statementOf } from './client.ts';
import { insertItems, insertOutputs, keepAnswers, keepGrades } from './eval-outputs.ts';
import { runsAt } from './eval-runs.ts';
import { evalRuns } from './schema/eval-runs.ts';
import { evalTargets } from './schema/eval-targets.ts';
import { literalList } from './text.ts';
import { evalRunEventStatement } from './webhook-outbox.ts';

const isLive = (column: string): string =>
  `exists (select 1 from batches b where b.id = ${column} and b.status in (${literalList(LIVE_STATUSES)}))`;

/** A target that can go on: it waits for no batch. */
const CAN_GO_ON = `case t.stage
  when 'done' then 0
  when 'sampling' then not ${isLive('t.batch_id')}
  when 'judging' then not ${isLive('t.judge_batch_id')} and not ${isLive('t.embedding_batch_id')}
    and not exists (select 1 from json_each(t.other_judge_batch_ids) j where ${isLive('j.value')})
  else 1 end`;

const HELD = `exists (select 1 from eval_runs where id = ? and lease_token = ? and open = 1
  and status in ('queued', 'in_progress') and deleted_at is null`;

export class LibsqlEvalWork implements StoreEvalWork {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async claimDue({ now, until, token, limit }: Parameters<StoreEvalWork['claimDue']>[0]): Promise<EvalLease[]> {
    const [claimed] = await this.#db.write([
      {
        sql: `update eval_runs set lease_token = ?, lease_until = ?
              where seq in (
                select r.seq from eval_runs r
                where r.open = 1 and r.next_at <= ? and (r.lease_until is null or r.lease_until <= ?)
                  and (r.status <> 'in_progress' or r.deleted_at is not null
                    or not exists (select 1 from eval_targets t where t.run_id = r.id and t.stage <> 'done')
                    or exists (select 1 from eval_targets t where t.run_id = r.id and ${CAN_GO_ON}))
                order by r.next_at, r.seq limit ?)
              returning seq`,
        args: [token, until, now, now, limit],
      },
    ]);
    return runsAt(
      this.#db,
      (claimed?.rows ?? []).map((row) => Number(row.seq)),
    );
  }

  async renew(ids: readonly string[], token: string, until: number): Promise<void> {
    await this.#db.orm
      .update(evalRuns)
      .set({ leaseUntil: until })
      .where(and(inArray(evalRuns.id, [...ids]), eq(evalRuns.leaseToken, token)));
  }

  async recover({ others }: { others: string }): Promise<void> {
    await this.#db.orm
      .update(evalRuns)
      .set({ leaseToken: null, leaseUntil: null })
      .where(and(eq(evalRuns.open, 1), ne(evalRuns.leaseToken, others)));
  }

  async release(id: string, token: string, nextAt: number): Promise<void> {
    await this.#db.orm
      .update(evalRuns)
      .set({ leaseToken: null, leaseUntil: null, nextAt })
      .where(and(eq(evalRuns.id, id), eq(evalRuns.leaseToken, token)));
  }

  async addItems(
    { runId, token, itemsRead }: { runId: string; token: string; itemsRead: number },
    items: readonly EvalItemRow[],
    byteOffset: number,
  ): Promise<boolean> {
    const fence = { sql: `${HELD} and status = 'queued' and items_read = ?)`, args: [runId, token, itemsRead] };
    const moved = this.#db.orm
      .update(evalRuns)
      .set({ itemsRead: itemsRead + items.length, byteOffset })
      .where(eq(evalRuns.id, runId));
    return (await this.#db.writeIf(fence, [insertItems(runId, items), statementOf(moved)])) !== null;
  }

  async begin(id: string, token: string, now: number): Promise<boolean> {
    return this.#change(id, token, `status = 'in_progress', started_at = ?`, [now], `status = 'queued'`);
  }

  async step({ runId, token, target, from, to, outputs, answers, grades }: EvalStep): Promise<boolean> {
    const fence: Statement = {
      sql: `${HELD}) and exists (
              select 1 from eval_targets where run_id = ? and target = ? and stage = ? and cursor = ?)`,
      args: [runId, token, runId, target, from.stage, from.cursor],
    };
    const moved = this.#db.orm
      .update(evalTargets)
      .set({ ...to, cursor: to.cursor ?? from.cursor })
      .where(and(eq(evalTargets.runId, runId), eq(evalTargets.target, target)));
    const written = await this.#db.writeIf(fence, [
      ...(outputs?.length ? [insertOutputs(runId, outputs)] : []),
      ...(answers?.length ? [keepAnswers(runId, target, answers)] : []),
      ...(grades?.length ? [keepGrades(runId, target, grades)] : []),
      statementOf(moved),
    ]);
    return written !== null;
  }

  async end(id: string, token: string, { status, error, now }: Parameters<StoreEvalWork['end']>[2]): Promise<boolean> {
    const text = error === null ? null : JSON.stringify(error);
    const set = 'status = ?, error = ?, ended_at = ?, open = 0, lease_token = null, lease_until = null';
    return this.#change(id, token, set, [status, text, now], `status in ('queued', 'in_progress')`, [
      evalRunEventStatement(id),
    ]);
  }

  async purge(id: string, limit: number): Promise<boolean> {
    const results = await this.#db.write([
      {
        sql: `delete from eval_outputs where run_id = ? and (target, item) in (
                select target, item from eval_outputs where run_id = ? limit ?)`,
        args: [id, id, limit],
      },
      {
        sql: `delete from eval_items where run_id = ? and item in (
                select item from eval_items where run_id = ? limit ?)`,
        args: [id, id, limit],
      },
    ]);
    return results.some(({ rowsAffected }) => rowsAffected > 0);
  }

  async close(id: string, token: string): Promise<void> {
    await this.#db.write([
      {
        sql: `delete from eval_targets where run_id = ? and exists (
                select 1 from eval_runs where id = ? and lease_token = ? and deleted_at is not null)`,
        args: [id, id, token],
      },
      {
        sql: `update eval_runs set open = 0, lease_token = null, lease_until = null,
                name = iif(deleted_at is null, name, ''), metadata = iif(deleted_at is null, metadata, null),
                data_source = iif(deleted_at is null, data_source, '{}'), content = iif(deleted_at is null, content, null), error = iif(deleted_at is null, error, null)
              where id = ? and lease_token = ? and (status = 'canceled' or deleted_at is not null)`,
        args: [id, token],
      },
    ]);
  }

  async latencies(batchId: string, firstLine: number, lastLine: number): Promise<Map<number, number>> {
    const rows = await this.#db.read({
      sql: `select line, latency_ms from ledger_entries
            where batch_id = ? and line between ? and ? and final = 1 and latency_ms is not null`,
      args: [batchId, firstLine, lastLine],
    });
    return new Map(rows.map((row) => [Number(row.line), Number(row.latency_ms)]));
  }

  async #change(
    id: string,
    token: string,
    set: string,
    args: Argument[],
    condition: string,
    also: readonly Statement[] = [],
  ): Promise<boolean> {
    const [result] = await this.#db.write([
      {
        sql: `update eval_runs set ${set}
              where id = ? and lease_token = ? and deleted_at is null and ${condition}`,
        args: [...args, id, token],
      },
      ...also,
    ]);
    return (result?.rowsAffected ?? 0) > 0;
  }
}
