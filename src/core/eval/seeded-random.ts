/**
 * A sequence of whole numbers that the seed alone decides: xoshiro128** 1.1 (Blackman and Vigna), seeded by
 * SplitMix32. The same on every machine, and with no pattern that resampling would see.
 */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** `seed`: any safe integer. */
  constructor(seed: number) {
    let state = seed ^ Math.imul(Math.floor(seed / 0x1_0000_0000), 0x85eb_ca6b);
    const next = (): number => {
      state = (state + 0x9e37_79b9) | 0;
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0_aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
      return mixed ^ (mixed >>> 15);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    // All four zero would be zero for ever.
    this.#d = next() | 1;
  }

  /** A whole number from 0 up to, and not including, `bound`; each as likely as the others, to `bound` parts of 2^32. */
  below(bound: number): number {
    const rotated = Math.imul(this.#b, 5);
    const value = Math.imul((rotated << 7) | (rotated >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return Math.floor((value / 0x1_0000_0000) * bound);
  }
}
