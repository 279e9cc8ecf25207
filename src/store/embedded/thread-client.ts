import { Worker } from 'node:worker_threads';
import type { SqlClient, SqlInput, SqlOutcome, SqlResult } from '../sql-client.ts';

interface ConnectionOptions {
  path: string;
  /** Run on every connection that is opened, in this order. */
  pragmas: readonly string[];
  busyTimeoutMs: number;
}

/** `one` runs a statement alone; `writes` runs lists of them, each as one atomic write. */
type ThreadOrder =
  | { do: 'open' | 'reopen' | 'close'; inputs: [] }
  | { do: 'one'; inputs: [SqlInput] }
  | { do: 'writes'; inputs: SqlInput[][] };

interface ThreadError {
  message: string;
  code?: string;
}

/** A result for each input: of a write, those of its statements, or what it failed of. */
type ThreadResults = (SqlResult | SqlResult[] | { error: ThreadError })[];

type ThreadAnswer =
  | { id: number; results: ThreadResults; error?: never }
  | { id: number; results?: never; error: ThreadError };

/** Each write that is waiting shares the next one's wait for the disk, up to so many. */
const WRITES_AT_ONCE = 32;

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
    await writer.ask({ do: 'open', inputs: [] });
    await reader.ask({ do: 'open', inputs: [] });
  } catch (error) {
    await Promise.all([writer.close(), reader.close()]);
    throw error;
  }
  return {
    writesAtOnce: WRITES_AT_ONCE,
    read: async (input) => resultOf((await reader.ask({ do: 'one', inputs: [input] }))[0]),
    write: async (writes) => (await writer.ask({ do: 'writes', inputs: writes })).map(outcomeOf),
    reconnect: async () => {
      await Promise.all([writer, reader].map((thread) => thread.ask({ do: 'reopen', inputs: [] })));
    },
    close: async () => {
      await reader.close();
      // The last connection to close folds the write-ahead log into the database.
      await writer.close();
    },
  };
}

function resultOf(result: ThreadResults[number] | undefined): SqlResult {
  if (result === undefined || Array.isArray(result) || 'error' in result) {
    throw new DatabaseError('the database gave no answer');
  }
  return result;
}

function outcomeOf(result: ThreadResults[number]): SqlOutcome {
  if (Array.isArray(result)) return result;
  return 'error' in result ? new DatabaseError(result.error.message, result.error.code) : [result];
}

interface Waiting {
  resolve(results: ThreadResults): void;
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

  ask(order: ThreadOrder): Promise<ThreadResults> {
    if (this.#closing !== null) return Promise.reject(new DatabaseError('the database is closed', 'CLIENT_CLOSED'));
    return this.#send(order);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    await this.#send({ do: 'close', inputs: [] }).catch(() => undefined);
    await worker.terminate();
  }

  #send(order: ThreadOrder): Promise<ThreadResults> {
    const worker = this.#worker ?? this.#start();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      // Like a socket, the thread keeps the process up only while somebody waits for it.
      if (this.#waiting.size === 0) worker.ref();
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, ...order });
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
