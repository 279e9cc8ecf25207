import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** A storage server that others wrote, as a Go module. */
export interface RealServer {
  name: string;
  module: string;
  version: string;
  /** How it is started on a port of loopback, with a folder of its own. */
  command(port: number, folder: string): { args: string[]; env: Record<string, string> };
  /** A path that answers 200 once it serves. */
  ready: string;
}

const buildMs = 20 * 60_000;
const startMs = 30_000;
const stopMs = 5000;

/** The path of the built program, from the cache or built now. Rejects with the reason why there is none. */
export async function install({ name, module, version }: RealServer, cache: string): Promise<string> {
  const folder = join(cache, `${name}-${version}`);
  const program = join(folder, process.platform === 'win32' ? `${name}.exe` : name);
  if (existsSync(program)) return program;
  console.log(`${name}: building ${module}@${version}; the first time this takes minutes.`);
  const go = spawn('go', ['install', `${module}@${version}`], {
    // The Go that is here, or none: no other one is fetched for this.
    env: { ...process.env, GOBIN: folder, GOTOOLCHAIN: 'local' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  go.stderr.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-2000);
  });
  await once(go, 'spawn').catch(() => {
    throw new Error('there is no Go to build it with');
  });
  if (go.pid !== undefined) setPriority(go.pid, constants.priority.PRIORITY_LOW);
  let isLate = false;
  const patience = setTimeout(() => {
    isLate = true;
    go.kill('SIGINT');
  }, buildMs);
  await once(go, 'close');
  clearTimeout(patience);
  if (existsSync(program)) return program;
  const reason = isLate ? 'it took too long' : words.trim().split('\n').slice(-3).join(' ');
  throw new Error(`it could not be built: ${reason}`);
}

export interface RunningServer {
  url: string;
  stop(): Promise<void>;
}

/** Starts a built program and waits until it serves. Rejects, and leaves nothing running, when it does not. */
export async function start(server: RealServer, program: string, folder: string): Promise<RunningServer> {
  const port = await freePort();
  const { args, env } = server.command(port, folder);
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-2000);
  });
  const url = `http://127.0.0.1:${port}`;
  const running = { url, stop: () => stop(child) };
  await once(child, 'spawn');
  for (const deadline = Date.now() + startMs; Date.now() < deadline && child.exitCode === null; await wait(100)) {
    const answer = await fetch(url + server.ready, { signal: AbortSignal.timeout(2000) }).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.ok === true) return running;
  }
  await running.stop();
  throw new Error(`it did not start: ${words.trim().split('\n').slice(-3).join(' ')}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await gone;
  clearTimeout(patience);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
