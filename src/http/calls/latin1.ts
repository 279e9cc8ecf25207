import { Buffer } from 'node:buffer';

/** Longer bodies are written as the bytes that they are. */
export const LATIN1_MAX = 64 * 1024;

/** Bytes as text in which each stays what it is: with the head before it, it goes out in one piece. */
export function latin1Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
