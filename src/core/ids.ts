import { Buffer } from 'node:buffer';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Bytes of entropy in an id: 144 bits, so that ids cannot be guessed. */
export const ID_BYTES = 18;

export type IdPrefix =
  | 'file-'
  | 'batch_'
  | 'upload_'
  | 'part_'
  | 'batch_req_'
  | 'key_'
  | 'route_'
  | 'price_'
  | 'entry_'
  | 'whe_'
  | 'evt_'
  | 'req_'
  | 'call_'
  | 'group_'
  | 'eval_'
  | 'evalrun_'
  | 'budget_';

/** An id from `prefix` and random bytes, written in base 62. */
export function formatId(prefix: IdPrefix, bytes: Uint8Array): string {
  return prefix + base62(bytes);
}

/** Bytes of entropy in an id that also has the time in it. */
export const TIMED_ID_BYTES = 16;
/** Unix milliseconds fit into so many bytes for 8,900 years. */
const TIME_BYTES = 6;

/**
 * An id that sorts behind those made before `unixMs`: an index takes many of them side by side, where random ones have each
 * a page of its own rewritten. What cannot be guessed of it are the bytes.
 */
export function formatTimedId(prefix: IdPrefix, unixMs: number, bytes: Uint8Array): string {
  if (unixMs !== timed.unixMs) {
    timed.unixMs = unixMs;
    timed.text = base62(bigEndian(unixMs, TIME_BYTES));
  }
  return prefix + timed.text + base62(bytes);
}

/** Many ids are made in one millisecond. */
const timed = { unixMs: Number.NaN, text: '' };

function bigEndian(value: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let rest = value;
  for (let at = length - 1; at >= 0; at--) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

/** The codes of two digits for each number below 62². */
const PAIRS = Uint16Array.from({ length: 62 ** 2 }, (_, n) => (code(Math.floor(n / 62)) << 8) | code(n % 62));

function code(digit: number): number {
  return ALPHABET.charCodeAt(digit);
}

/** Two pairs of digits are taken at a time, of limbs of three bytes: all of it stays in numbers that a double holds exactly. */
const DIVISOR = PAIRS.length ** 2;
const LIMB_BYTES = 3;
const LIMB = 2 ** (8 * LIMB_BYTES);

/** The limbs of the bytes that are written at the moment; and their digits, which begin anew where these do not suffice. */
const limbs: number[] = [];
let digits = Buffer.alloc(64);

/** Bytes in base 62, at the one width that holds every value of that many bytes. */
export function base62(bytes: Uint8Array): string {
  const count = toLimbs(bytes);
  const width = Math.ceil((bytes.length * 8) / Math.log2(62));
  if (digits.length < width + 4) digits = Buffer.alloc(2 * width + 4);
  let at = digits.length;
  let highest = 0;
  while (digits.length - at < width) {
    let rest = 0;
    for (let index = highest; index < count; index++) {
      const value = rest * LIMB + (limbs[index] as number);
      const quotient = Math.floor(value / DIVISOR);
      limbs[index] = quotient;
      rest = value - quotient * DIVISOR;
    }
    while (highest < count && limbs[highest] === 0) highest += 1;
    const high = Math.floor(rest / PAIRS.length);
    at -= 4;
    put(high, at);
    put(rest - high * PAIRS.length, at + 2);
  }
  // The digits before these are zeros.
  return digits.toString('latin1', digits.length - width);
}

function put(pair: number, at: number): void {
  const codes = PAIRS[pair] as number;
  digits[at] = codes >> 8;
  digits[at + 1] = codes & 0xff;
}

/** Takes the bytes apart into limbs, highest first; how many there are. */
function toLimbs(bytes: Uint8Array): number {
  let count = 0;
  // The first limb takes what is no multiple of three.
  for (let at = 0, end = bytes.length % LIMB_BYTES || LIMB_BYTES; at < bytes.length; end += LIMB_BYTES) {
    let limb = 0;
    while (at < end) limb = limb * 256 + (bytes[at++] ?? 0);
    limbs[count++] = limb;
  }
  return count;
}
