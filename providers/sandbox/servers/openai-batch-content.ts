import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import type { BatchFault } from './openai-batch-settings.ts';
import type { BatchStore, StoredFile } from './openai-batch-store.ts';

const pieceBytes = 64 * 1024;
const cutAt = 0.3;

/** Sends a file's bytes, whole or from the offset of a range on, no faster than they are taken. */
export async function sendContent(
  store: BatchStore,
  file: StoredFile,
  request: IncomingMessage,
  response: ServerResponse,
  fault: BatchFault['fault'] | null,
): Promise<void> {
  const bytes =
    fault === 'change' ? Buffer.from(file.bytes.toString('latin1').replaceAll('e', 'a'), 'latin1') : file.bytes;
  if (fault === 'gzip') {
    const headers = { 'content-type': 'application/jsonl; charset=latin1', 'content-encoding': 'gzip' };
    response.writeHead(200, headers).end(gzipSync(bytes));
    return;
  }
  const wanted = store.settings.ranges ? rangeStart(request.headers.range) : null;
  if (wanted !== null && wanted >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}`, 'content-length': '0' }).end();
    return;
  }
  const start = wanted ?? 0;
  const rest = bytes.subarray(start);
  const isCut = fault === 'cut' || fault === 'shorten';
  const sent = isCut ? rest.subarray(0, Math.floor(rest.length * cutAt)) : rest;
  response.writeHead(wanted === null ? 200 : 206, {
    'content-type': 'application/octet-stream',
    ...(fault !== 'shorten' && { 'content-length': String(rest.length) }),
    ...(wanted !== null && { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
  });
  try {
    await pipeline(Readable.from(pieces(sent, store), { highWaterMark: 1 }), response, { end: fault !== 'cut' });
    if (fault === 'cut') response.write('', () => request.socket.destroy());
  } catch {
    // The client went away.
  }
}

function* pieces(bytes: Buffer, store: BatchStore): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    store.counters.content_bytes_sent += piece.length;
    yield piece;
  }
}

/** The offset of `bytes=n-`; null for any other range, which is answered with the whole. */
function rangeStart(range: string | undefined): number | null {
  const start = /^bytes=(\d+)-$/.exec(range ?? '')?.[1];
  return start === undefined ? null : Number(start);
}
