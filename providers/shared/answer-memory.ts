/** An answer that comes in pieces. */
interface Incoming {
  /** Holds its connection back, or lets it go on. */
  pause(): void;
  resume(): void;
}

/** Who brings nothing for so long holds up nobody. */
const STALLED_MS = 1_000;

/**
 * Bounds the memory of answers that are not whole yet, of all calls together: each may be as large as one answer may be, and
 * hundreds may come at once. Beyond the bound, whoever brings more is held back until others are whole. One at least goes on,
 * so that all end; where those that may go on bring nothing for a while, others do.
 */
export class AnswerMemory {
  readonly #most: number;
  #held = 0;
  /** Answers that come in and are not held back. */
  #coming = 0;
  /** Those that are held back, in the order in which they were. */
  readonly #paused = new Set<Incoming>();
  /** When something came last beyond the bound, in milliseconds of the monotonic clock. */
  #cameAt = 0;

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
    // Within the bound none is held back.
    if (this.#held <= this.#most) return;
    this.#cameAt = performance.now();
    if (this.#coming <= 1 || this.#paused.has(answer)) return;
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
      this.#letGoOn(next);
    }
  }

  /** Told from time to time what time it is (milliseconds of the monotonic clock). */
  look(nowMs: number): void {
    const [next] = this.#paused;
    if (next === undefined || nowMs - this.#cameAt < STALLED_MS) return;
    this.#cameAt = nowMs;
    this.#letGoOn(next);
  }

  #letGoOn(next: Incoming): void {
    this.#paused.delete(next);
    this.#coming += 1;
    next.resume();
  }
}
