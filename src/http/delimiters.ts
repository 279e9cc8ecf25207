/** A content type that names its boundary and nothing else, as all clients write it: it can be read in one way only. */
const PLAIN_TYPE = /^multipart\/form-data\s*;\s*boundary=("?)([\w'()+,./:=?-]{1,70})\1\s*$/i;

const NO_BYTES = Buffer.alloc(0);

/**
 * Finds the delimiters of a multipart form as it streams by, wherever its bytes are cut. It takes every byte that the form's
 * parser takes, in the same order; bytes that `before` counted need be taken by neither.
 */
export class Delimiters {
  readonly #delimiter: Buffer;
  /** What at the end of the bytes so far may begin a delimiter. The first one has no line before it that ends. */
  #held: Buffer = Buffer.from('\r\n');

  private constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /** Null when the type names a boundary in an unusual way. */
  static of(contentType: string): Delimiters | null {
    const boundary = PLAIN_TYPE.exec(contentType)?.[2];
    return boundary === undefined ? null : new Delimiters(boundary);
  }

  /** Whether the bytes so far end in what may begin a delimiter. */
  get holds(): boolean {
    return this.#held.length > 0;
  }

  /** Takes the bytes up to the end of the first delimiter that ends in them, or all of them; says how many, and whether one ends there. */
  take(bytes: Buffer): { taken: number; ends: boolean } {
    const first = Buffer.concat([this.#held, bytes.subarray(0, this.#delimiter.length - 1)]);
    const across = first.indexOf(this.#delimiter);
    const within = across >= 0 ? across - this.#held.length : bytes.indexOf(this.#delimiter);
    if (across >= 0 || within >= 0) {
      this.#held = NO_BYTES;
      return { taken: within + this.#delimiter.length, ends: true };
    }
    const last = bytes.length < this.#delimiter.length ? first : bytes.subarray(1 - this.#delimiter.length);
    this.#held = Buffer.from(last.subarray(this.#beginIn(last)));
    return { taken: bytes.length, ends: false };
  }

  /** How many bytes stand before the first delimiter, or before what may begin one, when none is held so far. */
  before(bytes: Buffer): number {
    const at = bytes.indexOf(this.#delimiter);
    if (at >= 0) return at;
    const tail = Math.max(0, bytes.length - this.#delimiter.length + 1);
    return tail + this.#beginIn(bytes.subarray(tail));
  }

  /** Where in these few bytes stands what may go on as a delimiter after them; their length when nothing may. */
  #beginIn(bytes: Buffer): number {
    let at = bytes.indexOf(this.#delimiter[0] as number);
    while (at >= 0 && !this.#delimiter.subarray(0, bytes.length - at).equals(bytes.subarray(at))) {
      at = bytes.indexOf(this.#delimiter[0] as number, at + 1);
    }
    return at < 0 ? bytes.length : at;
  }
}
