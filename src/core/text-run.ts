import { Buffer } from 'node:buffer';

/** Bytes that end a run of plain ASCII inside a JSON string: control characters, the quote, the backslash, and 0x80 and above. */
const STOPS = new Uint8Array(256).map((_, byte) =>
  byte < 0x20 || byte === 0x22 || byte === 0x5c || byte > 0x7f ? 1 : 0,
);

/** Bytes with which those of texts are compared again and again. */
export class KnownBytes {
  readonly length: number;
  /** Four of them at a time, without what is left over; and all. */
  readonly words: Int32Array;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.length = bytes.length;
    this.bytes = bytes;
    this.words = Int32Array.from({ length: bytes.length >> 2 }, (_, index) => view.getInt32(index << 2, true));
  }
}

/**
 * The bytes of one buffer, looked at four at a time: a JSON string's text is most of what a batch file holds. Positions
 * are those of the whole buffer.
 */
export class TextRun {
  readonly bytes: Buffer;
  private readonly words: Int32Array;
  private readonly view: DataView;

  constructor(buffer: ArrayBufferLike) {
    this.bytes = Buffer.from(buffer);
    this.view = new DataView(buffer);
    this.words = new Int32Array(buffer, 0, buffer.byteLength >> 2);
  }

  /** Whether these bytes stand at `at`. There must be as many. */
  holds({ length, words, bytes: known }: KnownBytes, at: number): boolean {
    const { bytes, view } = this;
    let place = at;
    for (let index = 0; index < words.length; index++, place += 4) {
      if (view.getInt32(place, true) !== words[index]) return false;
    }
    for (let index = length & ~3; index < length; index++, place++) if (bytes[place] !== known[index]) return false;
    return true;
  }

  /** Where the run of plain ASCII that begins at `from` ends: at a stop, or at `end`. */
  endOfAscii(from: number, end: number): number {
    const { bytes, words } = this;
    let at = from;
    for (; (at & 3) !== 0; at++) if (at >= end || STOPS[bytes[at] as number] !== 0) return at;
    const last = end >> 2;
    let index = at >> 2;
    for (; index < last; index++) {
      const word = words[index] as number;
      // The lowest stop in the word sets its high bit: below it nothing borrows.
      const found =
        ((word - 0x20202020) | ((word ^ 0x22222222) - 0x01010101) | ((word ^ 0x5c5c5c5c) - 0x01010101) | word) &
        0x80808080;
      if (found !== 0) return (index << 2) + lowestByte(found);
    }
    at = Math.max(at, index << 2);
    while (at < end && STOPS[bytes[at] as number] === 0) at++;
    return at;
  }

  /** The same of text in any script: bytes of 0x80 and above are no stops. They must be known to be UTF-8. */
  endOfText(from: number, end: number): number {
    const { bytes, words } = this;
    let at = from;
    for (; (at & 3) !== 0; at++) if (at >= end || isStop(bytes[at] as number)) return at;
    const last = end >> 2;
    let index = at >> 2;
    for (; index < last; index++) {
      const word = words[index] as number;
      const quote = word ^ 0x22222222;
      const backslash = word ^ 0x5c5c5c5c;
      const found =
        (((word - 0x20202020) & ~word) | ((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash)) &
        0x80808080;
      if (found !== 0) return (index << 2) + lowestByte(found);
    }
    at = Math.max(at, index << 2);
    while (at < end && !isStop(bytes[at] as number)) at++;
    return at;
  }
}

/** The lowest byte of a word in which a bit is set. */
function lowestByte(word: number): number {
  return (31 - Math.clz32(word & -word)) >> 3;
}

function isStop(byte: number): boolean {
  return byte < 0x80 && STOPS[byte] !== 0;
}
