import { and, eq, getTableColumns, ne, sql } from '#drizzle';
import type { ListQuery, Scope } from '../ports/store-query.ts';
import type { DeliveryRow, StoreWebhooks, WebhookChange, WebhookRow } from '../ports/store-webhooks.ts';
import { type Database, type Statement, statementOf } from './client.ts';
import { inScope, pageOf } from './cursor.ts';
import { webhooks } from './schema/webhooks.ts';
import {
  claimDueDeliveries,
  endLeasesOfOthers,
  endPendingDeliveries,
  listDeliveries,
  redeliver,
  settleDelivery,
} from './webhook-deliveries.ts';

const { seq: _seq, ...columns } = getTableColumns(webhooks);

export class LibsqlWebhooks implements StoreWebhooks {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async insert(row: WebhookRow, most: number): Promise<boolean> {
    const room: Statement = {
      sql: `exists (select 1 from webhooks where id = ?) or (select count(*) from webhooks where tenant_id = ?) < ?`,
      args: [row.id, row.tenantId, most],
    };
    const add = this.#db.orm.insert(webhooks).values(row).onConflictDoNothing({ target: webhooks.id });
    return (await this.#db.writeIf(room, [statementOf(add)])) !== null;
  }

  async get(scope: Scope, id: string): Promise<WebhookRow | null> {
    const found = this.#db.orm.select(columns).from(webhooks).where(this.#one(scope, id));
    return (await found.get()) ?? null;
  }

  async list(scope: Scope, query: ListQuery): Promise<WebhookRow[] | null> {
    const page = await pageOf(this.#db, webhooks, scope, query);
    if (page === null) return null;
    return this.#db.orm
      .select(columns)
      .from(webhooks)
      .where(and(inScope(webhooks, scope), page.beyond))
      .orderBy(page.orderBy)
      .limit(page.limit);
  }

  async update(scope: Scope, id: string, change: WebhookChange, now: number): Promise<WebhookRow | null> {
    const { enabled, ...set } = change;
    const update = this.#db.orm
      .update(webhooks)
      .set({
        ...set,
        ...(enabled === true && { disabledAt: null, disabledReason: null }),
        ...(enabled === false && {
          disabledAt: sql`coalesce(${webhooks.disabledAt}, ${now})`,
          disabledReason: sql`coalesce(${webhooks.disabledReason}, 'by_request')`,
        }),
        updatedAt: now,
      })
      .where(this.#one(scope, id));
    const ended =
      enabled === false
        ? [endPendingDeliveries(statementOf(this.#ids(scope, id)), 'The webhook was disabled.', now)]
        : [];
    await this.#db.write([statementOf(update), ...ended]);
    return this.get(scope, id);
  }

  async rotate(
    scope: Scope,
    id: string,
    { secret, previousUntil, now }: Parameters<StoreWebhooks['rotate']>[2],
  ): Promise<WebhookRow | null> {
    const [row] = await this.#db.orm
      .update(webhooks)
      .set({
        previousSecret: previousUntil === null ? null : sql`${webhooks.secret}`,
        previousUntil,
        secret,
        updatedAt: now,
      })
      .where(and(this.#one(scope, id), ne(webhooks.secret, secret)))
      .returning(columns);
    return row ?? this.get(scope, id);
  }

  async delete(scope: Scope, id: string): Promise<boolean> {
    const ids = statementOf(this.#ids(scope, id));
    const [, removed] = await this.#db.write([
      { sql: `delete from webhook_deliveries where webhook_id in (${ids.sql})`, args: ids.args },
      statementOf(this.#db.orm.delete(webhooks).where(this.#one(scope, id))),
    ]);
    return (removed?.rowsAffected ?? 0) > 0;
  }

  claimDue(query: Parameters<StoreWebhooks['claimDue']>[0]): ReturnType<StoreWebhooks['claimDue']> {
    return claimDueDeliveries(this.#db, query);
  }

  settle(...[delivery, token, outcome, now]: Parameters<StoreWebhooks['settle']>): Promise<boolean> {
    return settleDelivery(this.#db, { ...delivery, token }, outcome, now);
  }

  recover({ others }: { others: string }): Promise<void> {
    return endLeasesOfOthers(this.#db, others);
  }

  deliveries(webhookId: string, query: ListQuery): Promise<DeliveryRow[] | null> {
    return listDeliveries(this.#db, webhookId, query);
  }

  redeliver(webhookId: string, eventId: string, now: number): Promise<DeliveryRow | null> {
    return redeliver(this.#db, { webhookId, eventId }, now);
  }

  async deleteEndedBefore(endedAt: number, limit: number): Promise<void> {
    await this.#db.write([
      {
        sql: `delete from webhook_deliveries where seq in (
                select seq from webhook_deliveries where state <> 'pending' and ended_at < ? order by ended_at limit ?)`,
        args: [endedAt, limit],
      },
    ]);
  }

  async countPending(): Promise<number> {
    const [row] = await this.#db.read({
      sql: `select count(*) as pending from webhook_deliveries where state = 'pending'`,
      args: [],
    });
    return Number(row?.pending ?? 0);
  }

  #one(scope: Scope, id: string) {
    return and(eq(webhooks.id, id), inScope(webhooks, scope));
  }

  #ids(scope: Scope, id: string) {
    return this.#db.orm.select({ id: webhooks.id }).from(webhooks).where(this.#one(scope, id));
  }
}
