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

/** Bytes in base 62, at the one width that holds every value of that many bytes. */
export function base62(bytes: Uint8Array): string {
  let value = 0n;
  for (const byte of bytes) value = value * 256n + BigInt(byte);
  let text = '';
  while (value > 0n) {
    text = ALPHABET[Number(value % 62n)] + text;
    value /= 62n;
  }
  const width = Math.ceil((bytes.length * 8) / Math.log2(62));
  return text.padStart(width, '0');
}
