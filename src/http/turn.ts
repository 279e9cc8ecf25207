/** How long a long computation may keep everything else waiting. */
const TURN_MS = 5;

/** A computation that lets others have their turn. */
export class Turn {
  #began = performance.now();

  /** Waits until others had a turn, when this one has lasted long enough. Call it often. */
  async yieldWhenLong(): Promise<void> {
    if (performance.now() - this.#began < TURN_MS) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#began = performance.now();
  }
}
