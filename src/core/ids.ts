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

/** Four digits are taken at a time, of limbs of three bytes: all of it stays in numbers that a double holds exactly. */
const DIGITS = 4;
const DIVISOR = 62 ** DIGITS;
const LIMB_BYTES = 3;
const LIMB = 2 ** (8 * LIMB_BYTES);

/** Bytes in base 62, at the one width that holds every value of that many bytes. */
export function base62(bytes: Uint8Array): string {
  const limbs = limbsOf(bytes);
  const width = Math.ceil((bytes.length * 8) / Math.log2(62));
  let text = '';
  while (text.length < width) {
    let rest = 0;
    for (let index = 0; index < limbs.length; index++) {
      const value = rest * LIMB + (limbs[index] ?? 0);
      limbs[index] = Math.floor(value / DIVISOR);
      rest = value % DIVISOR;
    }
    for (let digit = 0; digit < DIGITS && text.length < width; digit++) {
      text = (ALPHABET[rest % 62] ?? '') + text;
      rest = Math.floor(rest / 62);
    }
  }
  return text;
}

/** The bytes as limbs, highest first. */
function limbsOf(bytes: Uint8Array): number[] {
  const limbs: number[] = [];
  for (let end = bytes.length; end > 0; end -= LIMB_BYTES) {
    let limb = 0;
    for (let at = Math.max(0, end - LIMB_BYTES); at < end; at++) limb = limb * 256 + (bytes[at] ?? 0);
    limbs.push(limb);
  }
  return limbs.reverse();
}
