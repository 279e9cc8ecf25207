import Libsql from 'libsql';
import type { SqlInput, SqlResult, SqlValue } from '../sql-client.ts';

export interface ConnectionOptions {
  path: string;
  /** Run on every connection that is opened, in this order. */
  pragmas: readonly string[];
  busyTimeoutMs: number;
}

type Prepared = ReturnType<Libsql.Database['prepare']>;

interface Kept {
  statement: Prepared;
  /** Names of the columns it answers with; null for one that answers with none. */
  columns: string[] | null;
}

/** Statements kept ready, by their text: preparing the large ones costs as much as running them. */
const KEPT_MAX = 200;

/** One synchronous connection to an embedded database. Blocks the thread that uses it. */
export class Connection {
  readonly #options: ConnectionOptions;
  #database: Libsql.Database;
  readonly #kept = new Map<string, Kept>();

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#database = this.#open();
  }

  /** Runs a single statement. */
  execute({ sql, args }: SqlInput): SqlResult {
    const kept = this.#kept.get(sql) ?? this.#prepare(sql);
    try {
      if (kept.columns === null) return { columns: [], values: [], rowsAffected: kept.statement.run(args).changes };
      const rows = kept.statement.all(args) as unknown[][];
      return { columns: kept.columns, values: rows.map((row) => row.map(toValue)), rowsAffected: 0 };
    } catch (error) {
      // A statement that failed may be left half-way.
      this.#kept.delete(sql);
      throw error;
    }
  }

  /** Runs all statements or none. */
  executeAll(inputs: readonly SqlInput[]): SqlResult[] {
    this.#database.exec('begin immediate');
    try {
      const results = inputs.map((input) => this.execute(input));
      this.#database.exec('commit');
      return results;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  reopen(): void {
    this.close();
    this.#database = this.#open();
  }

  close(): void {
    this.#kept.clear();
    if (this.#database.open) this.#database.close();
  }

  #open(): Libsql.Database {
    const { path, pragmas, busyTimeoutMs } = this.#options;
    const database = new Libsql(path, { timeout: busyTimeoutMs });
    try {
      for (const pragma of pragmas) database.exec(`pragma ${pragma}`);
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  }

  #prepare(sql: string): Kept {
    const statement = this.#database.prepare(sql).safeIntegers(true);
    const columns = statement.reader ? statement.columns().map(({ name }) => name) : null;
    if (columns !== null) statement.raw(true);
    const kept = { statement, columns };
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    this.#kept.set(sql, kept);
    return kept;
  }

  #rollBack(): void {
    try {
      if (this.#database.inTransaction) this.#database.exec('rollback');
    } catch {
      // A connection that cannot roll back is of no use: nothing may be committed on it by chance.
      this.reopen();
    }
  }
}

function toValue(value: unknown): SqlValue {
  if (typeof value !== 'bigint') return value instanceof Uint8Array ? toArrayBuffer(value) : (value as SqlValue);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError('the database holds an integer beyond 2^53 − 1');
  return number;
}

function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
