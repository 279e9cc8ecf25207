import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { openWhenThere } from '../../src/runtime/open-when-there.ts';
import { StartError } from '../../src/runtime/problems.ts';
import { openStore } from '../../src/store/open-node.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** A server that answers with a status where a database would with rows. */
async function serverOf(status: number): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(status).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const open = (url: string, waitMs: number): Promise<unknown> =>
  openWhenThere(url, () => openStore({ url }), { log: pino({ level: 'silent' }), waitMs });

const failure = (opened: Promise<unknown>): Promise<unknown> => opened.catch((error: unknown) => error);

describe('a database server', () => {
  it('that stays away is named, without the token in its URL', async () => {
    const url = `${await serverOf(503)}/?authToken=token`;
    const { port } = new URL(url);
    const error = await failure(open(url, 0));
    expect(error).toBeInstanceOf(StartError);
    expect(String(error)).toContain(`WEIR_DATABASE_URL: the database server at 127.0.0.1:${port} does not answer`);
    expect(String(error)).toContain('(HTTP status 503)');
    expect(String(error)).not.toContain('token');
    for (const cleanup of cleanups.splice(0)) await cleanup();
    expect(String(await failure(open(url, 0)))).toContain('(ECONNREFUSED)');
  });

  it('that refuses the token is not waited for', async () => {
    const error = await failure(open(await serverOf(401), 60_000));
    expect(error).toBeInstanceOf(StartError);
    expect(String(error)).toContain('WEIR_DATABASE_AUTH_TOKEN');
  });

  it('that comes later is waited for', async () => {
    const url = await serverOf(502);
    let tries = 0;
    const opened = await openWhenThere(
      url,
      async () => {
        tries += 1;
        if (tries === 1) await openStore({ url });
        return 'opened';
      },
      { log: pino({ level: 'silent' }) },
    );
    expect([opened, tries]).toEqual(['opened', 2]);
  });

  it('is waited for only where it is one: an error of an embedded database is told at once', async () => {
    const broken = Object.assign(new TypeError('fetch failed'), { cause: new Error('no') });
    const opening = openWhenThere('file:a.db', () => Promise.reject(broken), { log: pino({ level: 'silent' }) });
    await expect(opening).rejects.toBe(broken);
  });
});
