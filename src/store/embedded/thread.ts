/** The thread of one connection: takes requests one after the other and answers each. Started by thread-client.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { SqlInput, SqlResult } from '../sql-client.ts';
import { Connection, type ConnectionOptions } from './connection.ts';

export interface ThreadRequest {
  id: number;
  /** `one` runs the first statement alone; `all` runs them as one atomic write. */
  do: 'open' | 'one' | 'all' | 'reopen' | 'close';
  inputs: SqlInput[];
}

/** An error as data: its class does not survive the way to another thread. */
export interface ThreadError {
  message: string;
  code?: string;
}

export type ThreadAnswer =
  | { id: number; results: SqlResult[]; error?: never }
  | { id: number; results?: never; error: ThreadError };

let connection: Connection | null = null;

parentPort?.on('message', (request: ThreadRequest) => {
  parentPort?.postMessage(answer(request));
});

function answer({ id, do: action, inputs }: ThreadRequest): ThreadAnswer {
  try {
    return { id, results: perform(action, inputs) };
  } catch (error) {
    return { id, error: describe(error) };
  }
}

function perform(action: ThreadRequest['do'], inputs: SqlInput[]): SqlResult[] {
  if (action === 'close') {
    connection?.close();
    connection = null;
    return [];
  }
  connection ??= new Connection(workerData as ConnectionOptions);
  switch (action) {
    case 'one':
      return inputs.slice(0, 1).map((input) => (connection as Connection).execute(input));
    case 'all':
      return connection.executeAll(inputs);
    case 'reopen':
      connection.reopen();
      return [];
    case 'open':
      return [];
  }
}

function describe(error: unknown): ThreadError {
  if (!(error instanceof Error)) return { message: String(error) };
  return 'code' in error && typeof error.code === 'string'
    ? { message: error.message, code: error.code }
    : { message: error.message };
}
