import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import { secure } from '../../providers/shared/http1/dial.ts';
import { openTunnel } from '../../providers/shared/http1/tunnel.ts';
import { addressOf } from '../core/http-address.ts';
import type { HttpProxy } from '../core/proxies.ts';
import { HttpFailure } from '../ports/http-client.ts';

/** What a webhook is reached through, and the host that the proxy is asked for: a name, or an address that the name has. */
export interface ProxiedTarget {
  proxy: HttpProxy;
  host: string;
}

/**
 * Connects to servers by TLS, which must be those of the URL's name, in tunnels of proxies. What `targetOf` rejects with, and
 * HttpFailure where a proxy does not lead there, is the request's.
 */
export function tunnelConnector(
  targetOf: (url: URL) => Promise<ProxiedTarget>,
  timeoutMs: number,
): buildConnector.connector {
  return ({ protocol, hostname, host = hostname }, done) => {
    const url = new URL(`${protocol}//${host}`);
    targetOf(url)
      .then((target) => openSecure(target, url, timeoutMs))
      .then(
        (socket) => done(null, socket),
        (error: Error) => done(error, null),
      );
  };
}

function openSecure({ proxy, host }: ProxiedTarget, url: URL, timeoutMs: number): Promise<Socket> {
  const { hostname, port } = addressOf(url);
  return new Promise((resolve, reject) => {
    const within = (socket: Socket): Socket =>
      socket.setTimeout(timeoutMs, () =>
        socket.destroy(Object.assign(new Error('no connection'), { code: 'ETIMEDOUT' })),
      );
    const fail = (reason: string): void => reject(new HttpFailure('connect', false, `no connection (${reason})`));
    const tunnel = openTunnel(proxy, { isTls: true, hostname: host, port }, (refusal) => {
      tunnel.setTimeout(0);
      if (refusal !== null) {
        tunnel.destroy();
        return fail(refusal);
      }
      const socket = within(secure(tunnel, { hostname }));
      socket.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'error'));
      socket.once('close', () => fail('closed'));
      socket.once('secureConnect', () => resolve(socket.setTimeout(0)));
    });
    within(tunnel);
  });
}
