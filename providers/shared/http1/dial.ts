import { connect as connectTcp, isIP, type NetConnectOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { HttpAddress } from '../../../src/core/http-address.ts';

const KEEP_ALIVE_PROBE_MS = 60_000;
const OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS };

interface DialOptions {
  /** Of the TLS connection before, so that a handshake need not begin anew. */
  session?: Buffer | undefined;
  /** Where what comes in is read to. */
  onread?: NonNullable<NetConnectOpts['onread']>;
}

/** Connects to a server. */
export function dial({ isTls, hostname: host, port }: HttpAddress, { session, ...reading }: DialOptions = {}): Socket {
  const options = { host, port, ...OPTIONS, ...reading };
  return isTls ? connectTls({ ...options, ...tlsOptions(host, session) }) : connectTcp(options);
}

/** TLS with a server over a connection that leads to it. */
export function secure(
  tunnel: Socket,
  { hostname, session }: { hostname: string; session?: Buffer | undefined },
): Socket {
  return connectTls({ socket: tunnel, host: hostname, ...tlsOptions(hostname, session) });
}

function tlsOptions(hostname: string, session: Buffer | undefined): ConnectionOptions {
  return {
    ALPNProtocols: ['http/1.1'],
    ...(isIP(hostname) === 0 && { servername: hostname }),
    ...(session && { session }),
  };
}
