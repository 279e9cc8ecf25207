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

/** Bytes in base 62, at the one width that holds every value of that many bytes. */
export function base62(bytes: Uint8Array): string {
  const limbs = limbsOf(bytes);
  const width = Math.ceil((bytes.length * 8) / Math.log2(62));
  let text = '';
  let highest = 0;
  while (text.length < width) {
    let rest = 0;
    for (let index = highest; index < limbs.length; index++) {
      const value = rest * LIMB + (limbs[index] ?? 0);
      const quotient = Math.floor(value / DIVISOR);
      limbs[index] = quotient;
      rest = value - quotient * DIVISOR;
    }
    while (limbs[highest] === 0) highest += 1;
    const high = Math.floor(rest / PAIRS.length);
    text = `${PAIRS[high]}${PAIRS[rest - high * PAIRS.length]}${text}`;
  }
  // The digits before these are zeros.
  return text.slice(text.length - width);
}

/** The bytes as limbs, highest first. */
function limbsOf(bytes: Uint8Array): number[] {
  const limbs: number[] = [];
  // The first limb takes what is no multiple of three.
  for (let at = 0, end = bytes.length % LIMB_BYTES || LIMB_BYTES; at < bytes.length; end += LIMB_BYTES) {
    let limb = 0;
    while (at < end) limb = limb * 256 + (bytes[at++] ?? 0);
    limbs.push(limb);
  }
  return limbs;
}
