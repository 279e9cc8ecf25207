import type { SqlInput } from '../sql-client.ts';

/** A statement as it goes to a thread: its text alone the first time, from then on the number of that. */
export type NumberedInput = { text: number; sql?: string; args: SqlInput['args'] };

/** Texts that a thread is told once: copied with every statement they would cost more than its parameters. */
const TEXTS_MAX = 500;

/** The numbers of the texts that the other end of a link has been told; of too many the oldest are forgotten, on both ends. */
export class Texts {
  readonly #numbers = new Map<string, number>();
  readonly #texts: string[] = [];
  #next = 0;

  number({ sql, args }: SqlInput): NumberedInput {
    const known = this.#numbers.get(sql);
    if (known !== undefined) return { text: known, args };
    const text = this.#next;
    this.#next = (text + 1) % TEXTS_MAX;
    const before = this.#texts[text];
    if (before !== undefined) this.#numbers.delete(before);
    this.#texts[text] = sql;
    this.#numbers.set(sql, text);
    return { text, sql, args };
  }
}
