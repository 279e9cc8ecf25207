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

/** Two digits for each number below 62². */
const PAIRS = Array.from({ length: 62 ** 2 }, (_, n) => `${ALPHABET[Math.floor(n / 62)]}${ALPHABET[n % 62]}`);

/** Two pairs of digits are taken at a time, of limbs of three bytes: all of it stays in numbers that a double holds exactly. */
const DIVISOR = PAIRS.length ** 2;
const LIMB_BYTES = 3;
const LIMB = 2 ** (8 * LIMB_BYTES);

/** The limbs of the bytes that are written at the moment, and the digits of them, four to an item. */
const limbs: number[] = [];
const digits: string[] = [];

/** Bytes in base 62, at the one width that holds every value of that many bytes. */
export function base62(bytes: Uint8Array): string {
  const count = toLimbs(bytes);
  const width = Math.ceil((bytes.length * 8) / Math.log2(62));
  const items = Math.ceil(width / 4);
  digits.length = items;
  let highest = 0;
  for (let item = items - 1; item >= 0; item--) {
    let rest = 0;
    for (let index = highest; index < count; index++) {
      const value = rest * LIMB + (limbs[index] ?? 0);
      const quotient = Math.floor(value / DIVISOR);
      limbs[index] = quotient;
      rest = value - quotient * DIVISOR;
    }
    while (highest < count && limbs[highest] === 0) highest += 1;
    const high = Math.floor(rest / PAIRS.length);
    digits[item] = `${PAIRS[high]}${PAIRS[rest - high * PAIRS.length]}`;
  }
  // The digits before these are zeros.
  return digits.join('').slice(items * 4 - width);
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
