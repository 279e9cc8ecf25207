import type { Client, InStatement, ResultSet, Row } from '@libsql/client';
import { drizzle, type SqliteRemoteDatabase } from '#drizzle';
import { storableText } from './text.ts';

export type Argument = string | number | bigint | boolean | null;

export interface Statement {
  sql: string;
  args: readonly Argument[];
}

const BUSY_TRIES = 6;
const BUSY_PAUSE_MS = 25;

/**
 * A libSQL database, embedded or remote. Writes go one at a time: libSQL blocks the whole process when two of its
 * connections contend for the write lock.
 */
export class Database {
  /** Drizzle over `read` and `write`: a statement awaited alone is one atomic write. */
  readonly orm: SqliteRemoteDatabase;
  readonly #client: Client;
  readonly #prepare: (client: Client) => Promise<void>;
  #lastWrite: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** `prepare` sets what each connection needs; it runs again after a reconnect. */
  constructor(client: Client, prepare: (client: Client) => Promise<void> = async () => {}) {
    this.#client = client;
    this.#prepare = prepare;
    this.orm = drizzle(async (sql, params, method) => {
      const rows = await this.#runDrizzle({ sql, args: params });
      return method === 'get' ? { rows: rows[0] as unknown[] } : { rows };
    });
  }

  /** Runs what connections need before their first use. */
  prepare(): Promise<void> {
    return this.#retryBusy(() => this.#prepare(this.#client));
  }

  async read(statement: Statement): Promise<Row[]> {
    const result = await this.#retryBusy(() => this.#client.execute(toInput(statement)));
    return result.rows;
  }

  /** Runs the statements as one atomic write, after the writes asked for earlier. */
  write(statements: readonly Statement[]): Promise<ResultSet[]> {
    const inputs = statements.map(toInput);
    const run = () => this.#retryBusy(() => this.#client.batch(inputs, 'write'));
    const result = this.#lastWrite.then(run, run);
    this.#lastWrite = result.catch(() => undefined);
    return result;
  }

  /** As `write`, when the SQL condition `fence` holds; null, with nothing written, when it does not. */
  async writeIf(fence: Statement, statements: readonly Statement[]): Promise<ResultSet[] | null> {
    const guard = { sql: `insert or replace into guards (id, ok) select 1, (${fence.sql})`, args: fence.args };
    try {
      const [, ...results] = await this.write([guard, ...statements]);
      return results;
    } catch (error) {
      if (isConstraintFailure(error, 'fence')) return null;
      throw error;
    }
  }

  /** Waits for the writes asked for, then closes. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#lastWrite;
    this.#client.close();
  }

  async #runDrizzle(statement: { sql: string; args: Argument[] }): Promise<unknown[][]> {
    try {
      const rows = statement.sql.startsWith('select')
        ? await this.read(statement)
        : ((await this.write([statement]))[0]?.rows ?? []);
      return rows.map((row) => Array.from(row));
    } catch (error) {
      // Drizzle writes this array, which holds users' data, into the message of the error it makes of ours.
      statement.args.length = 0;
      throw error;
    }
  }

  async #retryBusy<T>(run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await run();
      } catch (error) {
        if (attempt === BUSY_TRIES || !this.#isPassing(error)) throw error;
        // A busy statement of the embedded client is never finalized and would fail every later commit of its
        // connection (tursodatabase/libsql-client-ts#352): start with a fresh one.
        if (this.#client.protocol === 'file' && hasCode(error, 'SQLITE_BUSY')) {
          this.#client.reconnect();
          await this.#prepare(this.#client).catch(() => undefined);
        }
        await new Promise((resolve) => setTimeout(resolve, BUSY_PAUSE_MS * 2 ** attempt));
      }
    }
  }

  /** Another process holds the lock, or our own reconnect took the connection from under this statement. */
  #isPassing(error: unknown): boolean {
    return hasCode(error, 'SQLITE_BUSY') || (hasCode(error, 'CLIENT_CLOSED') && !this.#closed);
  }
}

/** A query built with drizzle as a statement of a larger write. */
export function statementOf(query: { toSQL(): { sql: string; params: unknown[] } }): Statement {
  const { sql, params } = query.toSQL();
  return { sql, args: params as Argument[] };
}

/** Whether the error is a broken constraint of this name (a check), or of this `table.column` (a unique index). */
export function isConstraintFailure(error: unknown, name: string): boolean {
  return errorChain(error).some((each) => /constraint failed/i.test(each.message) && each.message.includes(name));
}

function hasCode(error: unknown, code: string): boolean {
  return errorChain(error).some((each) => 'code' in each && String(each.code).startsWith(code));
}

/** Drizzle wraps the client's error as the cause of its own. */
function errorChain(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let each = error; each instanceof Error && chain.length < 4; each = each.cause) chain.push(each);
  return chain;
}

function toInput(statement: Statement): InStatement {
  return { sql: statement.sql, args: statement.args.map(toInputValue) };
}

/** Integers go as bigint: the clients would bind a number as a floating-point value. */
function toInputValue(value: Argument): string | number | bigint | null {
  if (typeof value === 'string') return storableText(value);
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  return value;
}
