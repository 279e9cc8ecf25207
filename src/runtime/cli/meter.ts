import type { Screen, Terminal } from './terminal.ts';

/** How often a log gets a line about progress. */
const SENTENCE_MS = 5_000;

/** Something that changes while it is looked at: redrawn in place on a terminal, a sentence now and then elsewhere. */
export class Meter {
  readonly #screen: Screen;
  readonly #now: () => number;
  readonly #sentenceMs: number;
  #drawn = 0;
  #saidAt: number;

  constructor(terminal: Terminal, sentenceMs = SENTENCE_MS) {
    this.#sentenceMs = sentenceMs;
    this.#screen = terminal.notes;
    this.#now = () => terminal.now();
    // What ends at once needs no sentence.
    this.#saidAt = terminal.now();
  }

  /** Columns a line may have: a line that fills the last one would wrap on some terminals. */
  get width(): number {
    return this.#screen.columns - 1;
  }

  get screen(): Screen {
    return this.#screen;
  }

  /** Shows `lines` in place of those of the last call; where nothing can be redrawn, `sentence` every few seconds. */
  async show(lines: () => readonly string[], sentence: () => string): Promise<void> {
    if (this.#screen.isTty) {
      const drawn = lines();
      const text = drawn.map((line) => `\x1b[2K${line}\n`).join('');
      await this.#screen.write(this.#backToTop() + text);
      this.#drawn = drawn.length;
      return;
    }
    if (this.#now() - this.#saidAt < this.#sentenceMs) return;
    this.#saidAt = this.#now();
    await this.#screen.write(`${sentence()}\n`);
  }

  /** Takes the lines away, so that what comes next stands in their place. */
  async clear(): Promise<void> {
    if (this.#drawn > 0) await this.#screen.write(`${this.#backToTop()}\x1b[J`);
    this.#drawn = 0;
  }

  #backToTop(): string {
    return this.#drawn > 0 ? `\x1b[${this.#drawn}A\r` : '';
  }
}
