/** An answer that comes in pieces. */
interface Incoming {
  /** Holds its connection back, or lets it go on. */
  pause(): void;
  resume(): void;
}

/**
 * Bounds the memory of answers that are not whole yet, of all calls together: each may be as large as one answer may be, and
 * hundreds may come at once. Beyond the bound, whoever brings more is held back until others are whole. One at least goes on,
 * so that all end.
 */
export class AnswerMemory {
  readonly #most: number;
  #held = 0;
  /** Answers that come in and are not held back. */
  #coming = 0;
  /** Those that are held back, in the order in which they were. */
  readonly #paused = new Set<Incoming>();

  /** `most`: bytes. */
  constructor(most: number) {
    this.#most = most;
  }

  get held(): number {
    return this.#held;
  }

  /** An answer has begun to come. */
  begin(): void {
    this.#coming += 1;
  }

  /** A piece of an answer has come. */
  add(answer: Incoming, bytes: number): void {
    this.#held += bytes;
    if (this.#held <= this.#most || this.#coming <= 1 || this.#paused.has(answer)) return;
    this.#coming -= 1;
    this.#paused.add(answer);
    answer.pause();
  }

  /** An answer is whole, or given up: it had so many bytes. */
  end(answer: Incoming, bytes: number): void {
    this.#held -= bytes;
    if (!this.#paused.delete(answer)) this.#coming -= 1;
    // Mostly there is room for all.
    if (this.#paused.size === 0) return;
    for (const next of this.#paused) {
      if (this.#held > this.#most && this.#coming > 0) return;
      this.#paused.delete(next);
      this.#coming += 1;
      next.resume();
    }
  }
}
