import type { Counters } from './counters.ts';

/** Something that waits for a slot and is told when it has one. */
export interface SlotUser {
  startRunning(): void;
}

/** Limits how many requests run at once; the others wait their turn, first come first served. */
export class Slots {
  readonly #counters: Counters;
  readonly #waiting = new Set<SlotUser>();
  #size = Number.POSITIVE_INFINITY;
  #queueSize = Number.POSITIVE_INFINITY;
  #admitting = false;

  /** `counters` receives the running and waiting figures. */
  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** Starts the user now, or lets it wait, or refuses it because the queue is full. */
  enter(user: SlotUser): 'running' | 'waiting' | 'refused' {
    const counters = this.#counters;
    if (counters.running < this.#size) {
      this.#run(user);
      return 'running';
    }
    if (this.#waiting.size >= this.#queueSize) return 'refused';
    this.#waiting.add(user);
    counters.waiting = this.#waiting.size;
    if (counters.waiting > counters.max_waiting) counters.max_waiting = counters.waiting;
    return 'waiting';
  }

  /** Gives up the slot, or the place in the queue, that the user has. */
  leave(user: SlotUser): void {
    if (this.#waiting.delete(user)) {
      this.#counters.waiting = this.#waiting.size;
      return;
    }
    this.#counters.running -= 1;
    this.#startWaiting();
  }

  /** Sets the limits (null: none) and starts whoever now fits. */
  resize(size: number | null, queueSize: number | null): void {
    this.#size = size ?? Number.POSITIVE_INFINITY;
    this.#queueSize = queueSize ?? Number.POSITIVE_INFINITY;
    this.#startWaiting();
  }

  #startWaiting(): void {
    // A user that finishes at once comes back here; the loop that started it goes on, so the stack stays flat.
    if (this.#admitting || this.#waiting.size === 0) return;
    this.#admitting = true;
    for (const user of this.#waiting) {
      if (this.#counters.running >= this.#size) break;
      this.#waiting.delete(user);
      this.#counters.waiting = this.#waiting.size;
      this.#run(user);
    }
    this.#admitting = false;
  }

  #run(user: SlotUser): void {
    const counters = this.#counters;
    counters.running += 1;
    if (counters.running > counters.max_running) counters.max_running = counters.running;
    user.startRunning();
  }
}
