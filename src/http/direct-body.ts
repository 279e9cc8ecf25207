import { Buffer } from 'node:buffer';
import type { Context as HonoContext } from 'hono';
import type { PieceMemory } from '../ports/files.ts';
import { toByteStream } from './byte-stream.ts';
import type { AppEnv } from './env.ts';

/** So large at most, a piece stays in the processor's cache from the disk to the connection. */
const PIECE_BYTES = 128 * 1024;

/** What an answer gives to the connection past its Response. */
export interface DirectBody {
  pieces: AsyncIterable<Uint8Array> | null;
}

export interface DirectBindings {
  /** Only where answers may do so. */
  direct?: DirectBody;
}

/**
 * Memory for the pieces of an answer's body of `bytes`, at most, to be given to `sendPieces`: each is used again when the
 * one after it is with the kernel. Undefined where the body is a web stream, which may hold more of them back.
 */
export function pieceMemory(c: HonoContext<AppEnv>, bytes = Number.POSITIVE_INFINITY): PieceMemory | undefined {
  if (directOf(c) === undefined) return undefined;
  const turns: Uint8Array[] = [];
  let next = 0;
  return () => {
    const turn = next++ % 2;
    turns[turn] ??= Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, bytes));
    return turns[turn];
  };
}

/** The body of an answer that is read only as fast as the client takes it; null when the connection gets it past the Response. */
export function sendPieces(
  c: HonoContext<AppEnv>,
  pieces: AsyncIterable<Uint8Array>,
): ReadableStream<Uint8Array> | null {
  const direct = directOf(c);
  if (direct === undefined) return toByteStream(pieces);
  direct.pieces = pieces;
  return null;
}

function directOf(c: HonoContext<AppEnv>): DirectBody | undefined {
  return (c.env as DirectBindings | undefined)?.direct;
}
