import { countOne } from './counters.ts';

/** The key of a request's body to count it by; undefined: it is not counted. */
export type KeyOf = (body: object) => string | undefined;

/** Good answers that batches came to, and so billed, by the keys of their requests: whether anybody reads them or not. */
export class Answered {
  readonly counts = new Map<string, number>();
  readonly #keyOf: KeyOf | null;

  constructor(keyOf: KeyOf | null = null) {
    this.#keyOf = keyOf;
  }

  /** False where nobody counts: what was answered need not be looked for. */
  get isCounting(): boolean {
    return this.#keyOf !== null;
  }

  add(body: object): void {
    const key = this.#keyOf?.(body);
    if (key !== undefined) countOne(this.counts, key);
  }
}
