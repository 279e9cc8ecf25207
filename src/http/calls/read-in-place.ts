import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';

/** Where all sockets that are read in place read to: what comes is used or copied before the next one reads. */
export const readBuffer = Buffer.allocUnsafeSlow(65_536);

/** A handle of a connection, as Node.js has it under its sockets. */
interface Handle {
  useUserBuffer?: (buffer: Buffer) => void;
}

/**
 * Lets a server's socket read into `readBuffer`; `onRead` is told how many bytes came, and stops the reading with false. That
 * is what the option `onread` of net.Socket does, which Node.js gives to sockets alone that connect by themselves. Without
 * it each read is given 64 KB of new memory, and copied out of it: a sixth of all that a connection's side of a call takes.
 * False, and nothing changed, where a Node.js has other names for it, or the socket is none of its own: it is read by its
 * events then.
 */
export function readInPlace(socket: Socket, onRead: (count: number) => boolean): boolean {
  const handle: unknown = Reflect.get(socket, '_handle');
  const symbols = Object.getOwnPropertySymbols(socket);
  const [buffer, callback] = ['kBuffer', 'kBufferCb'].map((name) => symbols.find((each) => each.description === name));
  if (buffer === undefined || callback === undefined || !hasUserBuffer(handle)) return false;
  Object.assign(socket, { [buffer]: readBuffer, [callback]: onRead });
  handle.useUserBuffer(readBuffer);
  return true;
}

function hasUserBuffer(handle: unknown): handle is Required<Handle> {
  return typeof handle === 'object' && handle !== null && typeof (handle as Handle).useUserBuffer === 'function';
}
