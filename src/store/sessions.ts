import { and, eq, getTableColumns, gt, isNull, sql } from '#drizzle';
import type { SessionRow, StoreSessions } from '../ports/store-sessions.ts';
import type { Database } from './client.ts';
import { keys } from './schema/keys.ts';
import { sessions } from './schema/sessions.ts';

export class LibsqlSessions implements StoreSessions {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async insert(row: SessionRow): Promise<void> {
    await this.#db.write([
      { sql: 'delete from sessions where expires_at <= ?', args: [row.createdAt] },
      {
        sql: `insert into sessions (hash, key_id, tenant_id, role, operator_proof, created_at, expires_at)
              values (?, ?, ?, ?, ?, ?, ?)`,
        args: [row.hash, row.keyId, row.tenantId, row.role, row.operatorProof, row.createdAt, row.expiresAt],
      },
    ]);
  }

  async find(hash: string, now: number): Promise<SessionRow | null> {
    const row = await this.#db.orm
      .select(getTableColumns(sessions))
      .from(sessions)
      .leftJoin(keys, eq(keys.id, sessions.keyId))
      .where(and(eq(sessions.hash, hash), gt(sessions.expiresAt, now), isNull(keys.revokedAt)))
      .get();
    return row ?? null;
  }

  async live(hashes: readonly string[], now: number): Promise<ReadonlySet<string>> {
    if (hashes.length === 0) return new Set();
    const isAsked = sql`${sessions.hash} in (select value from json_each(${JSON.stringify(hashes)}))`;
    const rows = await this.#db.orm
      .select({ hash: sessions.hash })
      .from(sessions)
      .leftJoin(keys, eq(keys.id, sessions.keyId))
      .where(and(isAsked, gt(sessions.expiresAt, now), isNull(keys.revokedAt)));
    return new Set(rows.map(({ hash }) => hash));
  }

  async delete(hash: string): Promise<void> {
    await this.#db.orm.delete(sessions).where(eq(sessions.hash, hash));
  }
}
