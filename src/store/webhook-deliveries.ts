import { and, asc, desc, eq, getTableColumns, gt, inArray, lt } from '#drizzle';
import type { ListQuery } from '../ports/store-query.ts';
import type { DeliveryOutcome, DeliveryRow, DueDelivery, StoreWebhooks } from '../ports/store-webhooks.ts';
import type { Database, Statement } from './client.ts';
import { webhookDeliveries } from './schema/webhook-deliveries.ts';
import { webhooks } from './schema/webhooks.ts';

const { seq: _seq, leaseToken: _token, leaseUntil: _until, ...columns } = getTableColumns(webhookDeliveries);
const { seq: _webhookSeq, ...webhookColumns } = getTableColumns(webhooks);

type Named = Pick<DeliveryRow, 'webhookId' | 'eventId'>;

/** See StoreWebhooks.claimDue. */
export async function claimDueDeliveries(
  database: Database,
  { now, until, token, limit, perWebhook, busy }: Parameters<StoreWebhooks['claimDue']>[0],
): Promise<DueDelivery[]> {
  const [claimed] = await database.write([
    {
      sql: `update webhook_deliveries set lease_token = ?, lease_until = ?
            where seq in (
              select seq from (
                select seq, next_at, row_number() over (partition by webhook_id order by next_at, seq) as place
                from webhook_deliveries
                where state = 'pending' and next_at <= ? and (lease_until is null or lease_until <= ?)
                  and webhook_id not in (select value from json_each(?)))
              where place <= ? order by next_at, seq limit ?)
            returning seq`,
      args: [token, until, now, now, JSON.stringify(busy), perWebhook, limit],
    },
  ]);
  const seqs = (claimed?.rows ?? []).map((row) => Number(row.seq));
  if (seqs.length === 0) return [];
  const rows = await database.orm
    .select({ delivery: columns, webhook: webhookColumns })
    .from(webhookDeliveries)
    .innerJoin(webhooks, eq(webhooks.id, webhookDeliveries.webhookId))
    .where(and(inArray(webhookDeliveries.seq, seqs), eq(webhookDeliveries.leaseToken, token)))
    .orderBy(asc(webhookDeliveries.nextAt), asc(webhookDeliveries.seq));
  return rows;
}

/** See StoreWebhooks.settle. */
export async function settleDelivery(
  database: Database,
  { webhookId, eventId, token }: Named & { token: string },
  outcome: DeliveryOutcome,
  now: number,
): Promise<boolean> {
  const held: Statement = {
    sql: `exists (select 1 from webhook_deliveries
            where webhook_id = ? and event_id = ? and lease_token = ? and state = 'pending')`,
    args: [webhookId, eventId, token],
  };
  const retry = outcome.outcome === 'retry';
  const settle: Statement = {
    sql: `update webhook_deliveries
          set state = ?, attempts = attempts + 1, status_code = ?, error = ?, attempted_at = ?, ended_at = ?,
            next_at = ?, lease_token = null, lease_until = null
          where webhook_id = ? and event_id = ?`,
    args: [
      retry ? 'pending' : outcome.outcome === 'delivered' ? 'delivered' : 'failed',
      outcome.statusCode,
      outcome.outcome === 'delivered' ? null : outcome.error,
      now,
      retry ? null : now,
      retry ? outcome.nextAt : now,
      webhookId,
      eventId,
    ],
  };
  const gone: Statement[] =
    outcome.outcome === 'gone'
      ? [
          {
            sql: `update webhooks set disabled_at = ?, disabled_reason = 'gone', updated_at = ?
                  where id = ? and disabled_at is null`,
            args: [now, now, webhookId],
          },
          endPendingDeliveries({ sql: '?', args: [webhookId] }, 'The endpoint answered 410 to another delivery.', now),
        ]
      : [];
  return (await database.writeIf(held, [settle, ...gone])) !== null;
}

/** Ends what waits for these endpoints, as failed for `reason`. */
export function endPendingDeliveries(webhookIds: Statement, reason: string, now: number): Statement {
  return {
    sql: `update webhook_deliveries
          set state = 'failed', error = ?, ended_at = ?, lease_token = null, lease_until = null
          where state = 'pending' and webhook_id in (${webhookIds.sql})`,
    args: [reason, now, ...webhookIds.args],
  };
}

export async function endLeasesOfOthers(database: Database, token: string): Promise<void> {
  await database.write([
    {
      sql: `update webhook_deliveries set lease_token = null, lease_until = null
            where state = 'pending' and lease_token <> ?`,
      args: [token],
    },
  ]);
}

/** See StoreWebhooks.deliveries. */
export async function listDeliveries(
  database: Database,
  webhookId: string,
  { after, order, limit }: ListQuery,
): Promise<DeliveryRow[] | null> {
  const ofWebhook = eq(webhookDeliveries.webhookId, webhookId);
  const ascending = order === 'asc';
  let beyond: ReturnType<typeof gt> | undefined;
  if (after !== undefined) {
    const cursor = await database.orm
      .select({ seq: webhookDeliveries.seq })
      .from(webhookDeliveries)
      .where(and(ofWebhook, eq(webhookDeliveries.eventId, after)))
      .get();
    if (cursor === undefined) return null;
    beyond = (ascending ? gt : lt)(webhookDeliveries.seq, cursor.seq);
  }
  return database.orm
    .select(columns)
    .from(webhookDeliveries)
    .where(and(ofWebhook, beyond))
    .orderBy((ascending ? asc : desc)(webhookDeliveries.seq))
    .limit(limit);
}

/** See StoreWebhooks.redeliver. A try that is under way is left alone. */
export async function redeliver(
  database: Database,
  { webhookId, eventId }: Named,
  now: number,
): Promise<DeliveryRow | null> {
  const one = and(eq(webhookDeliveries.webhookId, webhookId), eq(webhookDeliveries.eventId, eventId));
  await database.orm
    .update(webhookDeliveries)
    .set({ state: 'pending', firstAt: now, nextAt: now, endedAt: null })
    .where(one);
  return (await database.orm.select(columns).from(webhookDeliveries).where(one).get()) ?? null;
}
