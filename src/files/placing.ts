import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { AskedThread } from './asked-thread.ts';
import { type Move, placeSteps } from './place-steps.js';
import type { FileMark } from './small-objects.ts';

/** What is to be done with an object: `bytes` are written to `from` first. */
interface Order extends Move {
  bytes: Uint8Array;
}

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
  readonly #thread = new AskedThread<Order, FileMark>(new URL('./placing-thread.js', import.meta.url), {
    name: 'the thread that writes objects',
    youngMegabytes: YOUNG_MEGABYTES,
  });

  /**
   * Resolves with the file's mark when the object is there; rejects with the system's error, which has a `code`. Bytes must fill a buffer of
   * their own, which is given away.
   */
  place(order: Order): Promise<FileMark> {
    return this.#thread.ask(order, [order.bytes.buffer as ArrayBuffer]);
  }
}
