import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import {
  brotliDecompress,
  brotliDecompressSync,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
  gunzip,
  gunzipSync,
  inflate,
  inflateRaw,
  inflateRawSync,
  inflateSync,
  zstdDecompress,
  zstdDecompressSync,
} from 'node:zlib';
import { HttpFailure, type HttpResponse } from '../../src/ports/http-client.ts';

interface Bounds {
  maxOutputLength: number;
}

interface Decoder {
  /** At once, on the thread that asks. */
  now: (body: Uint8Array, bounds: Bounds) => Uint8Array;
  /** In another thread. */
  aside: (body: Uint8Array, bounds: Bounds & { chunkSize: number }) => Promise<Uint8Array>;
  stream: () => Duplex;
}

const GZIP: Decoder = { now: gunzipSync, aside: promisify(gunzip), stream: createGunzip };
const DECODERS: Readonly<Record<string, Decoder>> = {
  gzip: GZIP,
  'x-gzip': GZIP,
  deflate: {
    now: (body, bounds) => (hasHead(body) ? inflateSync(body, bounds) : inflateRawSync(body, bounds)),
    aside: (body, bounds) => (hasHead(body) ? promisify(inflate) : promisify(inflateRaw))(body, bounds),
    stream: createInflate,
  },
  br: { now: brotliDecompressSync, aside: promisify(brotliDecompress), stream: createBrotliDecompress },
  zstd: { now: zstdDecompressSync, aside: promisify(zstdDecompress), stream: createZstdDecompress },
};

/** What becomes no larger takes a few milliseconds: going elsewhere would take as long, and hold up those in line there. */
const AT_ONCE_BYTES_MAX = 1024 ** 2;
/** Each piece is a turn of the event loop. */
const PIECE_BYTES = 1024 ** 2;

/** The end of the line of answers that are decoded aside, one at a time: each may take all the memory one answer may. */
let line: Promise<void> = Promise.resolve();

/**
 * The answer as it was before a proxy compressed it, though nobody asked for that: the call was paid for. What cannot be
 * decoded stays as it came. A small one is decoded at once, others in another thread, where they wait for each other.
 * Throws HttpFailure (too_large), or rejects with it, for more than `maxBytes`.
 */
export function decoded(response: HttpResponse, maxBytes: number): HttpResponse | Promise<HttpResponse> {
  const decoders = encodingsOf(response.headers).flatMap((encoding) => DECODERS[encoding] ?? []);
  if (decoders.length === 0 || response.body.length === 0) return response;
  decoders.reverse();
  const most = Math.min(AT_ONCE_BYTES_MAX, maxBytes);
  try {
    if (response.body.length <= AT_ONCE_BYTES_MAX) {
      const body = decoders.reduce((bytes, { now }) => now(bytes, { maxOutputLength: most }), response.body);
      return { ...response, body };
    }
  } catch (error) {
    if (!(error instanceof RangeError)) return response;
    if (most === maxBytes) throw tooLarge(maxBytes);
  }
  const result = line.then(() => decodedAside(response, decoders, maxBytes));
  const ended = (): void => undefined;
  line = result.then(ended, ended);
  return result;
}

async function decodedAside(
  response: HttpResponse,
  decoders: readonly Decoder[],
  maxBytes: number,
): Promise<HttpResponse> {
  let { body } = response;
  try {
    for (const { aside } of decoders) body = await aside(body, { maxOutputLength: maxBytes, chunkSize: PIECE_BYTES });
    return { ...response, body };
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(maxBytes);
    return response;
  }
}

function tooLarge(maxBytes: number): HttpFailure {
  return new HttpFailure('too_large', true, `the answer is larger than ${maxBytes} bytes when decompressed`);
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
function hasHead(body: Uint8Array): boolean {
  return ((body[0] ?? 0) & 0x0f) === ZLIB_METHOD;
}
