import { drizzle, type SqliteRemoteDatabase } from '#drizzle';
import type { SqlClient, SqlInput, SqlResult, SqlValue } from './sql-client.ts';
import { storableText } from './text.ts';

export type Argument = string | number | bigint | boolean | null;

export interface Statement {
  sql: string;
  args: readonly Argument[];
}

/** A row by the names of its columns. */
export type Row = Record<string, SqlValue>;

export interface Outcome {
  rows: Row[];
  rowsAffected: number;
}

const BUSY_TRIES = 6;
const BUSY_PAUSE_MS = 25;
/** Characters of the parameters of writes that go together: what is small does not wait for what is large. */
const TOGETHER_CHARACTERS = 256 * 1024;

interface WaitingWrite {
  inputs: SqlInput[];
  resolve: (results: SqlResult[]) => void;
  reject: (error: unknown) => void;
}

/**
 * A libSQL database, embedded or remote. Writes go in the order in which they were asked for, over one connection: two
 * that contend for the write lock only wait for each other. Those that come while one is under way go together.
 */
export class Database {
  /** Drizzle over `read` and `write`: a statement awaited alone is one atomic write. */
  readonly orm: SqliteRemoteDatabase;
  readonly #client: SqlClient;
  #waiting: WaitingWrite[] = [];
  #writing: Promise<void> | null = null;
  #closed = false;

  constructor(client: SqlClient) {
    this.#client = client;
    this.orm = drizzle(async (sql, params, method) => {
      const rows = await this.#runDrizzle({ sql, args: params });
      return method === 'get' ? { rows: rows[0] as unknown[] } : { rows };
    });
  }

  async read(statement: Statement): Promise<Row[]> {
    return toRows(await this.#read(statement));
  }

  /** Runs the statements as one atomic write, after the writes asked for earlier. */
  async write(statements: readonly Statement[]): Promise<Outcome[]> {
    const results = await this.#write(statements);
    return results.map((result) => ({ rows: toRows(result), rowsAffected: result.rowsAffected }));
  }

  /** As `write`, when the SQL condition `fence` holds; null, with nothing written, when it does not. */
  async writeIf(fence: Statement, statements: readonly Statement[]): Promise<Outcome[] | null> {
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
    await this.#writing;
    await this.#client.close();
  }

  #read(statement: Statement): Promise<SqlResult> {
    const input = toInput(statement);
    return this.#retryBusy(() => this.#client.read(input));
  }

  #write(statements: readonly Statement[]): Promise<SqlResult[]> {
    const inputs = statements.map(toInput);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ inputs, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    // What is asked for in the same breath goes along.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        const writes = group.map(({ inputs }) => inputs);
        const outcomes = await this.#retryBusy(() => this.#client.write(writes));
        for (const [index, { resolve, reject }] of group.entries()) {
          const outcome = outcomes[index] ?? new Error('the database gave no answer');
          if (outcome instanceof Error) reject(outcome);
          else resolve(outcome);
        }
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#writing = null;
  }

  #takeGroup(): WaitingWrite[] {
    let characters = 0;
    let count = 0;
    for (const { inputs } of this.#waiting) {
      characters += lengthOf(inputs);
      if (count > 0 && (count >= this.#client.writesAtOnce || characters > TOGETHER_CHARACTERS)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #runDrizzle(statement: { sql: string; args: Argument[] }): Promise<unknown[][]> {
    try {
      const result = statement.sql.startsWith('select')
        ? await this.#read(statement)
        : (await this.#write([statement]))[0];
      return result?.values ?? [];
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
        if (attempt === BUSY_TRIES || !hasCode(error, 'SQLITE_BUSY')) throw error;
        // A busy statement is never finalized and would fail every later commit of its connection
        // (tursodatabase/libsql-client-ts#352): start with a fresh one.
        await this.#client.reconnect();
        await new Promise((resolve) => setTimeout(resolve, BUSY_PAUSE_MS * 2 ** attempt));
      }
    }
  }
}

function toRows({ columns, values }: SqlResult): Row[] {
  return values.map((row) => {
    const named: Row = {};
    // Of two columns of one name the first counts.
    for (let index = columns.length - 1; index >= 0; index--) named[columns[index] ?? ''] = row[index] ?? null;
    return named;
  });
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

function lengthOf(inputs: readonly SqlInput[]): number {
  let length = 0;
  for (const { args } of inputs) for (const value of args) if (typeof value === 'string') length += value.length;
  return length;
}

function toInput(statement: Statement): SqlInput {
  return { sql: statement.sql, args: statement.args.map(toInputValue) };
}

/** Integers go as bigint: the clients would bind a number as a floating-point value. */
function toInputValue(value: Argument): string | number | bigint | null {
  if (typeof value === 'string') return storableText(value);
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  return value;
}
