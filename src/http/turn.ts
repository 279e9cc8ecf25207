/** How long a long computation may keep everything else waiting. */
const TURN_MS = 5;

/** A computation that lets others have their turn. */
export class Turn {
  #began = performance.now();

  /** Whether it has lasted long enough. */
  get isLong(): boolean {
    return performance.now() - this.#began >= TURN_MS;
  }

  /** Begins anew: others had their turn while something was waited for. */
  begin(): void {
    this.#began = performance.now();
  }

  /** Waits until others had a turn. */
  async yield(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.begin();
  }
}
