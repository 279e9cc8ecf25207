import { createHash } from 'node:crypto';

/** Hash of a multipart body as it streams by. */
export interface MultipartDigest {
  update(chunk: Uint8Array): void;
  /** Lower-case hex SHA-256 of what came so far, up to the closing boundary. */
  value(): string;
}

/**
 * A client that sends a form again draws another boundary, so the hash leaves the boundaries out: two bodies with the
 * same parts in the same order hash alike. Undefined when the type is not multipart or names no boundary.
 */
export function createMultipartDigest(contentType: string | undefined): MultipartDigest | undefined {
  const boundary = readBoundary(contentType);
  if (boundary === undefined) return undefined;
  const delimiter = Buffer.from(`--${boundary}`, 'latin1');
  const hash = createHash('sha256');
  let rest = Buffer.alloc(0);
  let closed = false;

  return {
    update(chunk) {
      if (closed) return;
      let data = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
      for (;;) {
        const at = data.indexOf(delimiter);
        const end = at + delimiter.length;
        if (at === -1 || data.length < end + 2) break;
        hash.update(data.subarray(0, at)).update('\0boundary\0');
        if (data[end] === 0x2d && data[end + 1] === 0x2d) {
          closed = true;
          rest = Buffer.alloc(0);
          return;
        }
        data = data.subarray(end);
      }
      // A delimiter, or the two bytes after it, may be cut by the end of the chunk.
      const kept = Math.min(data.length, delimiter.length + 1);
      hash.update(data.subarray(0, data.length - kept));
      rest = Buffer.from(data.subarray(data.length - kept));
    },
    value: () => hash.copy().update(rest).digest('hex'),
  };
}

function readBoundary(contentType: string | undefined): string | undefined {
  if (contentType === undefined || !/^multipart\/form-data\s*;/i.test(contentType)) return undefined;
  const match = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType);
  return match?.[1] ?? match?.[2];
}
