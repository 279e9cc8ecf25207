import type { StoreServers } from '../ports/store-servers.ts';
import type { Database } from './client.ts';

export class LibsqlServers implements StoreServers {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async announce(id: string, now: number, forgetBefore: number): Promise<void> {
    await this.#db.write([
      {
        sql: `insert into servers (id, seen_at) values (?, ?)
              on conflict (id) do update set seen_at = max(seen_at, excluded.seen_at)`,
        args: [id, now],
      },
      { sql: 'delete from servers where seen_at < ?', args: [forgetBefore] },
    ]);
  }

  async count(since: number): Promise<number> {
    const [row] = await this.#db.read({ sql: 'select count(*) as n from servers where seen_at >= ?', args: [since] });
    return Number(row?.n ?? 0);
  }

  async leave(id: string): Promise<void> {
    await this.#db.write([{ sql: 'delete from servers where id = ?', args: [id] }]);
  }
}
