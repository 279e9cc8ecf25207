/** CRC-32C bit by bit over a table, written apart from the client's so that a mistake in one shows. */
const table = Int32Array.from({ length: 256 }, (_, index) => {
  let remainder = index;
  for (let round = 0; round < 8; round += 1) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0x82f63b78 : 0);
  return remainder;
});

/** The checksum of Cloud Storage: CRC-32C as four big-endian bytes in base64. */
export function crc32cOf(bytes: Buffer): string {
  let crc = -1;
  // By index: the iterator of a buffer takes eight times as long, and files have megabytes.
  for (let at = 0; at < bytes.length; at += 1) crc = (table[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  const digest = Buffer.alloc(4);
  digest.writeInt32BE(~crc);
  return digest.toString('base64');
}
