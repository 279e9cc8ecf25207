import { OPERATOR_KINDS, type PausedTarget } from '../core/shard-alert.ts';
import type { ShardAlertCount, StoreShards } from '../ports/store-shards.ts';
import type { ShardAlertCode } from '../protocol/shard-alert.ts';
import type { Database } from './client.ts';
import { literalList } from './text.ts';

const needsOperator = `failure ->> 'kind' in (${literalList(OPERATOR_KINDS)})`;
/** The condition of the index of live shards: ended ones are never read. */
const isLive = `(state <> 'done' or cleaned_at is null)`;

/** See StoreShards.pausedTargets. */
export async function pausedTargets(database: Database, now: number): Promise<PausedTarget[]> {
  const rows = await database.read({
    sql: `select provider, iif(failure ->> 'kind' = 'permission', model, null) as paused_model,
                 failure ->> 'code' as code, failure ->> 'message' as message, max(next_at) as until
          from shards where ${isLive} and next_at > ? and state = 'pending' and ${needsOperator}
          group by provider, paused_model order by provider, paused_model`,
    args: [now],
  });
  return rows.map((row) => ({
    provider: String(row.provider),
    model: row.paused_model === null ? null : String(row.paused_model),
    code: String(row.code),
    message: String(row.message),
    until: Number(row.until),
  }));
}

/** See StoreShards.alerts. */
export async function alertCounts(
  database: Database,
  { stuckBefore, unreadBefore }: Parameters<StoreShards['alerts']>[0],
): Promise<ShardAlertCount[]> {
  const rows = await database.read({
    sql: `select provider, alert, iif(alert = 'needs_operator', code, null) as reason, count(*) as shards
          from (
            select provider, failure ->> 'code' as code,
                   case when state in ('pending', 'submitting', 'running') and ${needsOperator} then 'needs_operator'
                        when state = 'running' and progress_at <= ? then 'stuck'
                        when state = 'collecting' and ended_at <= ? then 'results_unread'
                        when state = 'abandoned' and provider_batch_id is null then 'submit_unknown'
                        when state = 'submitting' and progress_at <= ?
                          and (coalesce(failure ->> 'reachedProvider', 1) or refs <> '{}') then 'submit_unknown' end as alert
            from shards where ${isLive} and state <> 'done')
          where alert is not null group by provider, alert, reason order by provider, alert, reason`,
    args: [stuckBefore, unreadBefore, unreadBefore],
  });
  return rows.map((row) => ({
    provider: String(row.provider),
    code: row.alert as ShardAlertCode,
    reason: row.reason === null ? null : String(row.reason),
    shards: Number(row.shards),
  }));
}
