import { ApiError } from '../core/api-error.ts';
import type { ByteRange } from '../ports/files.ts';

/**
 * What a Range header asks of `size` bytes. Null: the whole, also when the header is of another unit, malformed or
 * names several ranges, which may all be ignored. Throws ApiError 416. Source: RFC 9110, section 14.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | null {
  const match = /^bytes=\s*(\d*)\s*-\s*(\d*)\s*$/.exec(header ?? '');
  if (match === null) return null;
  const [first, last] = [match[1] as string, match[2] as string];
  if (first === '' && last === '') return null;
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (start >= size || end <= start) {
    const message = `The range ${JSON.stringify(header?.slice(0, 64))} lies outside the ${size} bytes of the file.`;
    throw new ApiError(416, message, { code: 'range_not_satisfiable', param: 'Range' });
  }
  return { offset: start, length: end - start };
}

/** Whether an If-None-Match header names this entity tag. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((part) => part.trim() === '*' || part.trim().replace(/^W\//, '') === etag);
}

/** `attachment` with the filename in plain ASCII and, for those who can, exactly. Source: RFC 6266, RFC 8187. */
export function attachment(filename: string): string {
  const plain = filename.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const exact = encodeURIComponent(filename.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}
