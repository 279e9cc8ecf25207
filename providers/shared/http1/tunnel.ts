import type { Socket } from 'node:net';
import type { HttpAddress } from '../../../src/core/http-address.ts';
import type { HttpProxy } from '../../../src/core/proxies.ts';
import { dial } from './dial.ts';

const MAX_HEAD_BYTES = 16_384;

/**
 * A connection to a proxy that it is asked to lead on to `target` (RFC 9110, 9.3.6). `done` is told once, with null when it
 * does, from when on the bytes are the target's, else with why not, in words that name no host. What breaks later is the
 * caller's to see.
 */
export function openTunnel(proxy: HttpProxy, target: HttpAddress, done: (refusal: string | null) => void): Socket {
  const { isTls, authorization } = proxy;
  const socket = dial(proxy);
  const name = target.hostname.includes(':') ? `[${target.hostname}]` : target.hostname;
  const to = `${name}:${target.port}`;
  const allowed = authorization === null ? '' : `proxy-authorization: ${authorization}\r\n`;
  socket.once(isTls ? 'secureConnect' : 'connect', () =>
    socket.write(`CONNECT ${to} HTTP/1.1\r\nhost: ${to}\r\n${allowed}\r\n`, 'latin1'),
  );

  let head = '';
  const over = (refusal: string | null) => {
    socket.off('data', take).off('error', fail).off('close', close);
    done(refusal);
  };
  const take = (piece: Buffer) => {
    head += piece.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) {
      if (head.length > MAX_HEAD_BYTES) over('the proxy answers with no HTTP');
      return;
    }
    const status = /^HTTP\/1\.\d ([2-5]\d\d)/.exec(head)?.[1];
    if (status === undefined) return over('the proxy answers with no HTTP');
    if (!status.startsWith('2')) return over(`the proxy refuses with ${status}`);
    socket.pause();
    const rest = head.slice(end + 4);
    if (rest !== '') socket.unshift(Buffer.from(rest, 'latin1'));
    over(null);
  };
  const fail = (error: NodeJS.ErrnoException) => over(`proxy: ${error.code ?? 'error'}`);
  const close = () => over('the proxy closed the connection');
  return socket.on('data', take).on('error', fail).on('close', close);
}
