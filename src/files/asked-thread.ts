import { Worker } from 'node:worker_threads';

/** What the thread answers: `{ id, result }` or `{ id, error }`. */
interface Answer<Result> {
  id: number;
  error: { message: string; code: string | null } | null;
  result: Result;
}

interface Waiting<Result> {
  resolve(result: Result): void;
  reject(error: Error): void;
}

/** A thread that nobody uses any more is ended after this, and its memory with it. */
const KEEP_MS = 10_000;

/**
 * A thread that is asked and answers, one message for each: it starts with the first question, ends when none comes any
 * more, and starts anew when it died. What it was asked when it died is rejected.
 */
export class AskedThread<Order extends object, Result> {
  readonly #script: URL;
  /** For the error of what was asked when it died. */
  readonly #name: string;
  readonly #youngMegabytes: number;
  readonly #waiting = new Map<number, Waiting<Result>>();
  #worker: Worker | null = null;
  #next = 0;
  #ending: ReturnType<typeof setTimeout> | undefined;

  /** `name`: "the thread that …". What is made in the thread is short-lived: `youngMegabytes` bound it. */
  constructor(script: URL, options: { name: string; youngMegabytes: number }) {
    this.#script = script;
    this.#name = options.name;
    this.#youngMegabytes = options.youngMegabytes;
  }

  /** Resolves with what the thread answers; rejects with its error, which has the `code` that it had there. */
  ask(order: Order, transfer: ArrayBuffer[] = []): Promise<Result> {
    clearTimeout(this.#ending);
    const worker = this.#worker ?? this.#start();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      // Like a file that is being written, the thread keeps the process up only while somebody waits for it.
      if (this.#waiting.size === 0) worker.ref();
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, ...order }, transfer);
    });
  }

  #start(): Worker {
    const worker = new Worker(this.#script, {
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: this.#youngMegabytes },
    });
    worker.on('message', (answer: Answer<Result>) => this.#settle(worker, answer));
    worker.on('error', (error) => this.#lose(worker, `: ${String(error)}`));
    worker.on('exit', () => this.#lose(worker, ''));
    this.#worker = worker;
    return worker;
  }

  #settle(worker: Worker, { id, error, result }: Answer<Result>): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) {
      worker.unref();
      clearTimeout(this.#ending);
      this.#ending = setTimeout(() => this.#end(), KEEP_MS).unref();
    }
    if (error === null) waiting?.resolve(result);
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
      reject(new Error(`${this.#name} ended before it answered${reason}`));
    }
    this.#waiting.clear();
  }
}
