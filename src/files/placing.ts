import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { type Move, placeSteps } from './place-steps.js';
import type { FileMark } from './small-objects.ts';

/** What is to be done with an object: `bytes` are written to `from` first. */
interface Order extends Move {
  bytes: Uint8Array;
}

interface Answer {
  id: number;
  error: { message: string; code: string | null } | null;
  /** Of the file that was written. */
  mark: FileMark;
}

interface Waiting {
  resolve(mark: FileMark): void;
  reject(error: Error): void;
}

/** A thread that nobody uses any more is ended after this, and its memory with it. */
const KEEP_MS = 10_000;
/** What the thread makes is short-lived. */
const YOUNG_MEGABYTES = 2;

const STEPS = {
  mkdir: promisify(fs.mkdir),
  realpath: promisify(fs.realpath),
  rename: promisify(fs.rename),
  open: promisify(fs.open),
  fsync: promisify(fs.fsync),
  close: promisify(fs.close),
} as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;

/**
 * Puts a synced file in its place, visible and durable, with a turn of the event loop for each step: for the large objects,
 * which are few, no thread need be started. Rejects with the system's error, which has a `code`.
 */
export async function place(move: Move): Promise<void> {
  const steps = placeSteps(move);
  for (let step = steps.next(); !step.done; ) {
    const [name, ...args] = step.value;
    const result = (STEPS[name] as (typeof STEPS)[string])(...args);
    // What a step throws is for the steps after it.
    step = await result.then(
      (value) => steps.next(value),
      (error) => steps.throw(error),
    );
  }
}

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
   * Resolves with the file's mark when the object is there; rejects with the system's error, which has a `code`. Bytes must fill a buffer of
   * their own, which is given away.
   */
  place(order: Order): Promise<FileMark> {
    clearTimeout(this.#ending);
    const worker = this.#worker ?? this.#start();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      // Like a file that is being written, the thread keeps the process up only while somebody waits for it.
      if (this.#waiting.size === 0) worker.ref();
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, ...order }, [order.bytes.buffer as ArrayBuffer]);
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

  #settle(worker: Worker, { id, error, mark }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) {
      worker.unref();
      clearTimeout(this.#ending);
      this.#ending = setTimeout(() => this.#end(), KEEP_MS).unref();
    }
    if (error === null) waiting?.resolve(mark);
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
