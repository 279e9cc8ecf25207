import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CuttingProxy {
  url: string;
  /** Connections it broke. */
  readonly cuts: number;
  /** The values of the Range headers that passed. */
  readonly ranges: readonly string[];
  /** Breaks one connection, once this many more bytes have gone to the server (`up`) or come from it (`down`). */
  cut(direction: 'up' | 'down', afterBytes: number): void;
  stop(): Promise<void>;
}

/** Passes bytes to a server of loopback and back. */
export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const ranges: string[] = [];
  let armed: { direction: 'up' | 'down'; left: number } | null = null;
  let cuts = 0;

  function pass(direction: 'up' | 'down', from: Socket, to: Socket): void {
    from.on('data', (chunk: Buffer) => {
      const range = direction === 'up' ? /^range: (\S+)/im.exec(chunk.toString('latin1'))?.[1] : undefined;
      if (range !== undefined) ranges.push(range);
      if (armed?.direction === direction) {
        armed.left -= chunk.length;
        if (armed.left < 0) {
          armed = null;
          cuts += 1;
          from.destroy();
          to.destroy();
          return;
        }
      }
      if (!to.write(chunk)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
    from.on('error', () => {});
    from.on('close', () => {
      sockets.delete(from);
      to.end();
    });
    sockets.add(from);
  }

  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    pass('up', client, upstream);
    pass('down', upstream, client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cuts() {
      return cuts;
    },
    ranges,
    cut(direction, afterBytes) {
      armed = { direction, left: afterBytes };
    },
    async stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
