import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { SqlClient, SqlInput, SqlOutcome, SqlResult } from '../sql-client.ts';
import { type NumberedInput, Texts } from './texts.ts';

interface ConnectionOptions {
  path: string;
  /** Run on every connection that is opened, in this order. */
  pragmas: readonly string[];
  busyTimeoutMs: number;
}

/**
 * `reads` runs statements one by one, each alone; `writes` runs lists of them, each as one atomic write; `serve` takes orders from another
 * thread's port, too.
 */
type ThreadOrder =
  | { do: 'open' | 'reopen' | 'close'; inputs: [] }
  | { do: 'serve'; inputs: [MessagePort] }
  | { do: 'reads'; inputs: SqlInput[] }
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

/** Which of the two threads of a database. */
export type DatabaseThread = 'writer' | 'reader';

/** The client of whoever opened the database; other threads of the process may use it through ports. */
export interface ThreadsClient extends SqlClient {
  /** Lets the thread take orders from the other end of `port`. Rejects when it cannot. */
  serve(thread: DatabaseThread, port: MessagePort): Promise<void>;
}

/**
 * An embedded database, used by threads of their own: one writes, one reads beside it. Neither a commit that waits for
 * the disk nor a query over millions of rows holds up the event loop, and a long query holds up no commit.
 */
export async function openThreads(writing: ConnectionOptions, reading: ConnectionOptions): Promise<ThreadsClient> {
  const writer = new Thread(() => startThread(writing));
  const reader = new Thread(() => startThread(reading));
  try {
    // The writer makes the file and sets its journal; only then is there something to read.
    await writer.ask({ do: 'open', inputs: [] });
    await reader.ask({ do: 'open', inputs: [] });
  } catch (error) {
    await Promise.all([writer.close(), reader.close()]);
    throw error;
  }
  const threads = { writer, reader };
  return {
    ...clientOf(threads),
    serve: async (thread, port) => {
      await threads[thread].ask({ do: 'serve', inputs: [port] }, [port]);
    },
    close: async () => {
      await reader.close();
      // The last connection to close folds the write-ahead log into the database.
      await writer.close();
    },
  };
}

/**
 * The database that another thread of the process has opened. `send` brings one end of a channel to that thread, for its
 * `serve`: at the first request, and again when the database's thread was lost.
 */
export function attachThreads(send: (thread: DatabaseThread, port: MessagePort) => void): SqlClient {
  const attach = (thread: DatabaseThread): Thread =>
    new Thread(() => {
      const { port1, port2 } = new MessageChannel();
      send(thread, port2);
      return { channel: port1, end: async () => port1.close() };
    });
  const threads = { writer: attach('writer'), reader: attach('reader') };
  return {
    ...clientOf(threads),
    // The connections are not this thread's to close.
    close: async () => {
      await Promise.all([threads.writer.leave(), threads.reader.leave()]);
    },
  };
}

function clientOf({ writer, reader }: Record<DatabaseThread, Thread>): Omit<SqlClient, 'close'> {
  const reads = new Reads(reader);
  return {
    writesAtOnce: WRITES_AT_ONCE,
    read: (input) => reads.read(input),
    write: async (writes) => (await writer.ask({ do: 'writes', inputs: writes })).map(outcomeOf),
    reconnect: async () => {
      await Promise.all([writer, reader].map((thread) => thread.ask({ do: 'reopen', inputs: [] })));
    },
  };
}

/** Reads that are asked for in one turn of the event loop go to the thread together: a message costs more than a small read. */
class Reads {
  readonly #thread: Thread;
  #waiting: { input: SqlInput; resolve(result: SqlResult): void; reject(error: unknown): void }[] = [];

  constructor(thread: Thread) {
    this.#thread = thread;
  }

  read(input: SqlInput): Promise<SqlResult> {
    return new Promise((resolve, reject) => {
      // Run when all that is to be done at once has been done.
      if (this.#waiting.push({ input, resolve, reject }) === 1) process.nextTick(() => void this.#readAll());
    });
  }

  async #readAll(): Promise<void> {
    const asked = this.#waiting;
    this.#waiting = [];
    let results: ThreadResults;
    try {
      results = await this.#thread.ask({ do: 'reads', inputs: asked.map(({ input }) => input) });
    } catch (error) {
      for (const { reject } of asked) reject(error);
      return;
    }
    for (const [index, { resolve, reject }] of asked.entries()) {
      try {
        resolve(resultOf(results[index]));
      } catch (error) {
        reject(error);
      }
    }
  }
}

function startThread(options: ConnectionOptions): Link {
  // The process's own flags may be of a kind that a thread does not take.
  const worker = new Worker(new URL('./thread.js', import.meta.url), {
    workerData: options,
    execArgv: [],
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
  });
  return {
    channel: worker,
    end: async () => {
      await worker.terminate();
    },
  };
}

function resultOf(result: ThreadResults[number] | undefined): SqlResult {
  if (result === undefined || Array.isArray(result)) throw new DatabaseError('the database gave no answer');
  if ('error' in result) throw new DatabaseError(result.error.message, result.error.code);
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

/** The way to a thread, and how it is ended from here. */
interface Link {
  channel: Worker | MessagePort;
  end(): Promise<void>;
}

/** One connection in its thread. A thread that dies fails what it was asked; the next request starts another. */
class Thread {
  readonly #open: () => Link;
  readonly #waiting = new Map<number, Waiting>();
  #link: Link | null = null;
  #texts = new Texts();
  #next = 0;
  #closing: Promise<void> | null = null;

  constructor(open: () => Link) {
    this.#open = open;
  }

  ask(order: ThreadOrder, transfer: MessagePort[] = []): Promise<ThreadResults> {
    if (this.#closing !== null) return Promise.reject(new DatabaseError('the database is closed', 'CLIENT_CLOSED'));
    return this.#send(order, transfer);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close(true);
    return this.#closing;
  }

  /** Ends the link, not the connection behind it. */
  leave(): Promise<void> {
    this.#closing ??= this.#close(false);
    return this.#closing;
  }

  async #close(connection: boolean): Promise<void> {
    const link = this.#link;
    if (link === null) return;
    if (connection) await this.#send({ do: 'close', inputs: [] }, []).catch(() => undefined);
    await link.end();
  }

  #send(order: ThreadOrder, transfer: MessagePort[]): Promise<ThreadResults> {
    const { channel } = this.#link ?? this.#start();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      // Like a socket, the thread keeps the process up only while somebody waits for it.
      if (this.#waiting.size === 0) channel.ref();
      this.#waiting.set(id, { resolve, reject });
      try {
        channel.postMessage({ id, do: order.do, inputs: this.#inputsOf(order) }, transfer);
      } catch (error) {
        // The thread has not heard of the texts that went with it: all are told anew.
        this.#texts = new Texts();
        this.#waiting.delete(id);
        if (this.#waiting.size === 0) channel.unref();
        throw error;
      }
    });
  }

  #inputsOf(order: ThreadOrder): unknown[] {
    const number = (input: SqlInput): NumberedInput => this.#texts.number(input);
    if (order.do === 'reads') return order.inputs.map(number);
    return order.do === 'writes' ? order.inputs.map((write) => write.map(number)) : order.inputs;
  }

  #start(): Link {
    const link = this.#open();
    this.#texts = new Texts();
    const { channel } = link;
    channel.on('message', (answer: ThreadAnswer) => this.#settle(link, answer));
    channel.on('error', (error: unknown) => this.#lose(link, error));
    channel.on('exit', () => this.#lose(link, null));
    channel.on('close', () => this.#lose(link, null));
    this.#link = link;
    return link;
  }

  #settle(link: Link, { id, results, error }: ThreadAnswer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) link.channel.unref();
    if (error) waiting?.reject(new DatabaseError(error.message, error.code));
    else waiting?.resolve(results);
  }

  #lose(link: Link, error: unknown): void {
    if (this.#link !== link) return;
    this.#link = null;
    const reason = error instanceof Error ? `: ${error.message}` : '';
    for (const { reject } of this.#waiting.values()) {
      reject(new DatabaseError(`the database's thread ended before it answered${reason}`, 'THREAD_ENDED'));
    }
    this.#waiting.clear();
  }
}
