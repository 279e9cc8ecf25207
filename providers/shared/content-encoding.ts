import type { Duplex } from 'node:stream';
import {
  brotliDecompressSync,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib';
import { HttpFailure, type HttpResponse } from '../../src/ports/http-client.ts';

type Decode = (body: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;

const DECODERS: Readonly<Record<string, { whole: Decode; stream: () => Duplex }>> = {
  gzip: { whole: gunzipSync, stream: createGunzip },
  'x-gzip': { whole: gunzipSync, stream: createGunzip },
  deflate: { whole: inflateEither, stream: createInflate },
  br: { whole: brotliDecompressSync, stream: createBrotliDecompress },
  zstd: { whole: zstdDecompressSync, stream: createZstdDecompress },
};

/**
 * The answer as it was before a proxy compressed it, though nobody asked for that: the call was paid for. What cannot be
 * decoded stays as it came. Throws HttpFailure (too_large) for more than `maxBytes`.
 */
export function decoded(response: HttpResponse, maxBytes: number): HttpResponse {
  const encodings = encodingsOf(response.headers);
  if (encodings.length === 0 || response.body.length === 0) return response;
  try {
    const body = encodings.reduceRight(
      (bytes, encoding) => DECODERS[encoding]?.whole(bytes, { maxOutputLength: maxBytes }) ?? bytes,
      response.body,
    );
    return { ...response, body };
  } catch (error) {
    if (error instanceof RangeError) {
      throw new HttpFailure('too_large', true, `the answer is larger than ${maxBytes} bytes when decompressed`);
    }
    return response;
  }
}

/** What undoes the compression of an answer that is read piece by piece, in the order of their use. */
export function decodersOf(headers: HttpResponse['headers']): Duplex[] {
  return encodingsOf(headers)
    .reverse()
    .flatMap((encoding) => DECODERS[encoding]?.stream() ?? []);
}

function encodingsOf(headers: HttpResponse['headers']): string[] {
  const text = headers['content-encoding'];
  if (text === undefined) return [];
  return text.split(',').map((each) => each.trim().toLowerCase());
}

const ZLIB_METHOD = 8;

/** Some servers leave out the two bytes in front that say how it is compressed. */
function inflateEither(body: Uint8Array, options: { maxOutputLength: number }): Uint8Array {
  return ((body[0] ?? 0) & 0x0f) === ZLIB_METHOD ? inflateSync(body, options) : inflateRawSync(body, options);
}
