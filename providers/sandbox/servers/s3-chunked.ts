import { crc32 } from 'node:zlib';

/**
 * Decodes `content-encoding: aws-chunked` (S3 API reference, "Signature calculations: transferring payload in multiple
 * chunks"): hexadecimal sizes with optional chunk signatures, then trailers, whose CRC-32 is checked. null when malformed.
 */
export function decodeAwsChunked(body: Buffer): Buffer | null {
  const parts: Buffer[] = [];
  let offset = 0;
  for (;;) {
    const end = body.indexOf('\r\n', offset);
    if (end < 0) return null;
    const size = Number.parseInt(body.toString('latin1', offset, end).split(';')[0] ?? '', 16);
    offset = end + 2;
    if (!(size >= 0)) return null;
    if (size === 0) break;
    if (offset + size + 2 > body.length) return null;
    parts.push(body.subarray(offset, offset + size));
    offset += size + 2;
  }
  const decoded = Buffer.concat(parts);
  return hasRightTrailer(body.toString('latin1', offset), decoded) ? decoded : null;
}

function hasRightTrailer(trailers: string, decoded: Buffer): boolean {
  const stated = /x-amz-checksum-crc32:\s*([A-Za-z0-9+/=]+)/i.exec(trailers)?.[1];
  if (stated === undefined) return true;
  const own = Buffer.alloc(4);
  own.writeUInt32BE(crc32(decoded));
  return own.toString('base64') === stated;
}
