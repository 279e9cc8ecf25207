/** What the store asks of a connection to libSQL: embedded in a thread of its own, or a server's. */
import type { Client } from '@libsql/client';

export type SqlValue = string | number | bigint | null | ArrayBuffer;

/** A statement with its parameters; integers as bigint, as a number would be bound as floating point. */
export interface SqlInput {
  sql: string;
  args: (string | number | bigint | null)[];
}

/** Integers come as numbers; one beyond 2^53 − 1 is an error, not a guess. */
export interface SqlResult {
  columns: string[];
  values: SqlValue[][];
  rowsAffected: number;
}

/** The results of a write's statements, or why nothing of it happened. */
export type SqlOutcome = SqlResult[] | Error;

export interface SqlClient {
  /** So many writes may be asked for at once. */
  readonly writesAtOnce: number;
  /** Runs one statement that changes nothing. */
  read(input: SqlInput): Promise<SqlResult>;
  /**
   * Runs each list of statements as one atomic write, in their order. They become durable together: rejects when none
   * of them happened.
   */
  write(writes: SqlInput[][]): Promise<SqlOutcome[]>;
  /** Starts with fresh connections: one that was met by SQLITE_BUSY may not commit again. */
  reconnect(): Promise<void>;
  close(): Promise<void>;
}

/** A client of `@libsql/client` as a SqlClient. */
export function fromLibsql(client: Client): SqlClient {
  return {
    writesAtOnce: 1,
    read: async (input) => toResult(await client.execute(input)),
    write: async ([inputs = []]) => [(await client.batch(inputs, 'write')).map(toResult)],
    reconnect: async () => {
      if (client.protocol === 'file') client.reconnect();
    },
    close: async () => client.close(),
  };
}

function toResult({ columns, rows, rowsAffected }: Awaited<ReturnType<Client['execute']>>): SqlResult {
  return { columns, values: rows.map((row) => Array.from(row)), rowsAffected };
}
