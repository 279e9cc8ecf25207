/** Runs what it is given one after the other, with a bound for those that wait. */
export class OneAtATime {
  readonly #most: number;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** `most`: how many may run or wait. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Settles as `run` does, once its turn has come; null where too many wait. */
  add<T>(run: () => Promise<T>): Promise<T> | null {
    if (this.#waiting >= this.#most) return null;
    this.#waiting += 1;
    const own = this.#last.then(run).finally(() => {
      this.#waiting -= 1;
    });
    this.#last = own.catch(() => undefined);
    return own;
  }
}
