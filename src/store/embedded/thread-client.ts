import { Worker } from 'node:worker_threads';
import type { SqlClient, SqlInput, SqlResult } from '../sql-client.ts';

interface ConnectionOptions {
  path: string;
  /** Run on every connection that is opened, in this order. */
  pragmas: readonly string[];
  busyTimeoutMs: number;
}

interface ThreadRequest {
  id: number;
  /** `one` runs a statement alone; `all` runs them as one atomic write. */
  do: 'open' | 'one' | 'all' | 'reopen' | 'close';
  inputs: SqlInput[];
}

type ThreadAnswer =
  | { id: number; results: SqlResult[]; error?: never }
  | { id: number; results?: never; error: { message: string; code?: string } };

/** What a thread makes is short-lived: left alone, it would take 48 MB before it tidies up. */
const YOUNG_MEGABYTES = 8;

/** What went wrong in the database; `code` is SQLite's, such as `SQLITE_BUSY`. */
class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

/**
 * An embedded database, used by threads of their own: one writes, one reads beside it. Neither a commit that waits for
 * the disk nor a query over millions of rows holds up the event loop, and a long query holds up no commit.
 */
export async function openThreads(writing: ConnectionOptions, reading: ConnectionOptions): Promise<SqlClient> {
  const writer = new Thread(writing);
  const reader = new Thread(reading);
  try {
    // The writer makes the file and sets its journal; only then is there something to read.
    await writer.ask('open', []);
    await reader.ask('open', []);
  } catch (error) {
    await Promise.all([writer.close(), reader.close()]);
    throw error;
  }
  return {
    read: async (input) => first(await reader.ask('one', [input])),
    write: (inputs) => writer.ask('all', inputs),
    reconnect: async () => {
      await Promise.all([writer.ask('reopen', []), reader.ask('reopen', [])]);
    },
    close: async () => {
      await reader.close();
      // The last connection to close folds the write-ahead log into the database.
      await writer.close();
    },
  };
}

function first(results: SqlResult[]): SqlResult {
  const [result] = results;
  if (result === undefined) throw new DatabaseError('the database gave no answer');
  return result;
}

interface Waiting {
  resolve(results: SqlResult[]): void;
  reject(error: Error): void;
}

/** One connection in its thread. A thread that dies fails what it was asked; the next request starts another. */
class Thread {
  readonly #options: ConnectionOptions;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #next = 0;
  #closing: Promise<void> | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  ask(action: ThreadRequest['do'], inputs: SqlInput[]): Promise<SqlResult[]> {
    if (this.#closing !== null) return Promise.reject(new DatabaseError('the database is closed', 'CLIENT_CLOSED'));
    return this.#send(action, inputs);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    await this.#send('close', []).catch(() => undefined);
    await worker.terminate();
  }

  #send(action: ThreadRequest['do'], inputs: SqlInput[]): Promise<SqlResult[]> {
    const worker = this.#worker ?? this.#start();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      // Like a socket, the thread keeps the process up only while somebody waits for it.
      if (this.#waiting.size === 0) worker.ref();
      this.#waiting.set(id, { resolve, reject });
      const request: ThreadRequest = { id, do: action, inputs };
      worker.postMessage(request);
    });
  }

  #start(): Worker {
    // The process's own flags may be of a kind that a thread does not take.
    const worker = new Worker(new URL('./thread.js', import.meta.url), {
      workerData: this.#options,
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    });
    worker.on('message', (answer: ThreadAnswer) => this.#settle(worker, answer));
    worker.on('error', (error) => this.#lose(worker, error));
    worker.on('exit', () => this.#lose(worker, null));
    this.#worker = worker;
    return worker;
  }

  #settle(worker: Worker, { id, results, error }: ThreadAnswer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) worker.unref();
    if (error) waiting?.reject(new DatabaseError(error.message, error.code));
    else waiting?.resolve(results);
  }

  #lose(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    const reason = error instanceof Error ? `: ${error.message}` : '';
    for (const { reject } of this.#waiting.values()) {
      reject(new DatabaseError(`the database's thread ended before it answered${reason}`, 'THREAD_ENDED'));
    }
    this.#waiting.clear();
  }
}
