import type { IdempotencyRow, StoreIdempotency } from '../ports/store-idempotency.ts';
import type { Database, Row } from './client.ts';

const COLUMNS = 'tenant_id, key, fingerprint, seed, status, body, created_at';

export class LibsqlIdempotency implements StoreIdempotency {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** A claim with another fingerprint never takes a key over: it is answered `busy` or `done`, with the row it differs from. */
  async claim(
    row: IdempotencyRow,
    now: number,
    lockedUntil: number,
  ): Promise<{ state: 'mine' | 'done' | 'busy'; row: IdempotencyRow }> {
    const [claimed, existing] = await this.#db.write([
      {
        sql: `insert into idempotency (tenant_id, key, fingerprint, seed, created_at, locked_until)
              values (?, ?, ?, ?, ?, ?)
              on conflict (tenant_id, key) do update set locked_until = excluded.locked_until
                where status is null and locked_until <= ? and fingerprint = excluded.fingerprint
              returning ${COLUMNS}`,
        args: [row.tenantId, row.key, row.fingerprint, row.seed, row.createdAt, lockedUntil, now],
      },
      { sql: `select ${COLUMNS} from idempotency where tenant_id = ? and key = ?`, args: [row.tenantId, row.key] },
    ]);
    const mine = claimed?.rows[0];
    if (mine !== undefined) return { state: 'mine', row: toRow(mine) };
    const other = existing?.rows[0];
    if (other === undefined) throw new Error('the database did not return the claimed idempotency key');
    const stored = toRow(other);
    return { state: stored.status === null ? 'busy' : 'done', row: stored };
  }

  async renew(tenantId: string, key: string, held: readonly number[], lockedUntil: number): Promise<boolean> {
    const [renewed] = await this.#db.write([
      {
        sql: `update idempotency set locked_until = ?
              where tenant_id = ? and key = ? and status is null and locked_until in (select value from json_each(?))
              returning key`,
        args: [lockedUntil, tenantId, key, JSON.stringify(held)],
      },
    ]);
    return renewed?.rows[0] !== undefined;
  }

  async finish(tenantId: string, key: string, status: number, body: string): Promise<IdempotencyRow | null> {
    const [, other] = await this.#db.write([
      {
        sql: 'update idempotency set status = ?, body = ? where tenant_id = ? and key = ? and status is null',
        args: [status, body, tenantId, key],
      },
      {
        sql: `select ${COLUMNS} from idempotency where tenant_id = ? and key = ? and (status <> ? or body <> ?)`,
        args: [tenantId, key, status, body],
      },
    ]);
    const row = other?.rows[0];
    return row === undefined ? null : toRow(row);
  }

  /** The row stays, so that the next run makes the same ids. */
  async release(tenantId: string, key: string, held: readonly number[]): Promise<void> {
    await this.#db.write([
      {
        sql: `update idempotency set locked_until = 0
              where tenant_id = ? and key = ? and status is null and locked_until in (select value from json_each(?))`,
        args: [tenantId, key, JSON.stringify(held)],
      },
    ]);
  }

  async releaseAll(): Promise<void> {
    await this.#db.write([
      { sql: 'update idempotency set locked_until = 0 where status is null and locked_until > 0', args: [] },
    ]);
  }

  async deleteBefore(createdAt: number): Promise<void> {
    await this.#db.write([{ sql: 'delete from idempotency where created_at < ?', args: [createdAt] }]);
  }
}

function toRow(row: Row): IdempotencyRow {
  return {
    tenantId: String(row.tenant_id),
    key: String(row.key),
    fingerprint: String(row.fingerprint),
    seed: String(row.seed),
    status: row.status === null ? null : Number(row.status),
    body: row.body === null ? null : String(row.body),
    createdAt: Number(row.created_at),
  };
}
