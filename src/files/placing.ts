import { Worker } from 'node:worker_threads';

/** What is to be done with an object: `bytes` are written to `from` first, unless it is written already. */
interface Order {
  /** Real path of the folder that no object may lie outside of. */
  base: string;
  from: string;
  to: string;
  bytes: Uint8Array | null;
}

interface Answer {
  id: number;
  error: { message: string; code: string | null } | null;
}

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

/** A thread that nobody uses any more is ended after this, and its memory with it. */
const KEEP_MS = 10_000;
/** What the thread makes is short-lived. */
const YOUNG_MEGABYTES = 2;

/**
 * Puts objects in their place, visible and durable, in a thread beside the caller's: an object costs one turn of the
 * caller's event loop, however often its steps wait for the disk. The thread starts with the first object.
 */
export class Placing {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #next = 0;
  #ending: ReturnType<typeof setTimeout> | undefined;

  /**
   * Resolves when the object is there; rejects with the system's error, which has a `code`. Bytes must fill a buffer of
   * their own, which is given away.
   */
  place(order: Order): Promise<void> {
    clearTimeout(this.#ending);
    const worker = this.#worker ?? this.#start();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      // Like a file that is being written, the thread keeps the process up only while somebody waits for it.
      if (this.#waiting.size === 0) worker.ref();
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, ...order }, order.bytes === null ? [] : [order.bytes.buffer as ArrayBuffer]);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./placing-thread.js', import.meta.url), {
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    });
    worker.on('message', (answer: Answer) => this.#settle(worker, answer));
    worker.on('error', (error) => this.#lose(worker, `: ${String(error)}`));
    worker.on('exit', () => this.#lose(worker, ''));
    this.#worker = worker;
    return worker;
  }

  #settle(worker: Worker, { id, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) {
      worker.unref();
      clearTimeout(this.#ending);
      this.#ending = setTimeout(() => this.#end(), KEEP_MS).unref();
    }
    if (error === null) waiting?.resolve();
    else waiting?.reject(Object.assign(new Error(error.message), error.code === null ? {} : { code: error.code }));
  }

  #end(): void {
    const worker = this.#worker;
    this.#worker = null;
    void worker?.terminate();
  }

  #lose(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) {
      reject(new Error(`the thread that writes objects ended before it answered${reason}`));
    }
    this.#waiting.clear();
  }
}
