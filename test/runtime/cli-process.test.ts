import { type ChildProcess, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = join(PROJECT, 'src/runtime/cli.ts');
const LAUNCH = join(PROJECT, 'src/runtime/cli/launch.js');

const children: ChildProcess[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-process-'));
  folders.push(folder);
  return folder;
}

/** Starts the command line as a process of its own. */
function start(argv: readonly string[], environment: Record<string, string>, program = CLI) {
  const env = { PATH: process.env.PATH ?? '', ...environment };
  const child = spawn(process.execPath, [program, ...argv], { cwd: PROJECT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  return { child, exited, out: text(child.stdout), notes: text(child.stderr) };
}

/** Resolves with what the process printed up to a match of `pattern`. */
async function printed({ stdout }: ChildProcess, pattern: RegExp): Promise<string> {
  let seen = '';
  if (stdout !== null) {
    for await (const [chunk] of on(stdout, 'data', { close: ['end'] })) {
      seen += String(chunk);
      if (pattern.test(seen)) return seen;
    }
  }
  throw new Error(`the process ended after: ${seen}`);
}

describe('weir serve', () => {
  it.runIf(process.platform === 'linux')(
    'starts with the settings that only a start can set, as the same process',
    async () => {
      const environment = { WEIR_PORT: '0', WEIR_DATA_DIR: await newFolder(), WEIR_LOG_LEVEL: 'warn' };
      for (const [given, arenas] of [
        [undefined, '2'],
        ['4', '4'],
      ] as const) {
        const set = given === undefined ? {} : { MALLOC_ARENA_MAX: given };
        const { child, exited } = start(['serve'], { ...environment, ...set }, LAUNCH);
        await printed(child, /ready at/);
        const ofProcess = (name: string): Promise<string> => readFile(`/proc/${child.pid}/${name}`, 'latin1');
        expect((await ofProcess('environ')).split('\0')).toContain(`MALLOC_ARENA_MAX=${arenas}`);
        expect((await ofProcess('cmdline')).includes('--max-semi-space-size=16')).toBe(given === undefined);
        child.kill('SIGTERM');
        expect(await exited).toBe(0);
      }
    },
  );

  it('has one folder of compiled code for all its threads', async () => {
    const look = `const { enableCompileCache, getCompileCacheDir } = require('node:module');
      enableCompileCache(require('node:worker_threads').workerData);
      console.log(getCompileCacheDir());`;
    const script = `
      import { getCompileCacheDir } from 'node:module';
      import { dirname } from 'node:path';
      import { isMainThread, Worker } from 'node:worker_threads';
      const timer = setInterval(() => {
        const own = getCompileCacheDir();
        if (!isMainThread || process.argv[2] !== 'serve') clearInterval(timer);
        else if (own !== undefined) {
          clearInterval(timer);
          console.log(own);
          new Worker(${JSON.stringify(look)}, { eval: true, workerData: dirname(own) });
        }
      }, 10);`;
    const preload = `--import=data:text/javascript,${encodeURIComponent(script)}`;
    const environment = { WEIR_PORT: '0', WEIR_DATA_DIR: await newFolder(), NODE_OPTIONS: preload };
    const { child } = start(['serve'], environment, LAUNCH);
    const seen = await printed(child, /v[\d.]+-\S+\n.*v[\d.]+-\S+\n/s);
    const [own, inThread] = [...seen.matchAll(/\S+v[\d.]+-\S+/g)].map(([folder]) => folder);
    expect(inThread).toBe(own);
  });

  it('prints its address, the admin key once, and ends with 0 at SIGTERM', async () => {
    const environment = { WEIR_PORT: '0', WEIR_DATA_DIR: await newFolder(), WEIR_LOG_LEVEL: 'warn' };
    const first = start(['serve'], environment);
    const greeting = await printed(first.child, /command line\.\n/);
    const url = /Weir is ready at (http:\/\/127\.0\.0\.1:\d+)\n/.exec(greeting)?.[1] ?? '';
    const key = /Admin key, shown this once: (weir_\w+)\n/.exec(greeting)?.[1] ?? '';
    expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'ok' });
    const asked = start(['status', '--json'], { WEIR_URL: url, WEIR_API_KEY: key });
    expect(JSON.parse(await asked.out)).toMatchObject({ object: 'list', data: [] });
    expect(await asked.exited).toBe(0);
    first.child.kill('SIGTERM');
    expect(await first.exited).toBe(0);

    const second = start(['serve'], environment);
    expect(await printed(second.child, /ready at .*\n/)).not.toContain('Admin key');
    second.child.kill('SIGINT');
    expect(await second.exited).toBe(0);
    expect(await second.out).not.toContain('Admin key');
  });

  it('ends with 2 and every problem when its configuration is wrong', async () => {
    const run = start(['serve'], { WEIR_PORT: 'x', WEIR_LOG_LEVEL: 'loud', WEIR_DATA_DIR: await newFolder() });
    expect(await run.exited).toBe(2);
    expect(await run.notes).toMatch(/WEIR_PORT: must be a port number.*WEIR_LOG_LEVEL: must be one of/s);
  });

  it('ends with 3 and says what to do when its port is taken', async () => {
    const first = start(['serve'], { WEIR_PORT: '0', WEIR_DATA_DIR: await newFolder() });
    const port = /127\.0\.0\.1:(\d+)/.exec(await printed(first.child, /ready at .*\n/))?.[1] ?? '';
    const second = start(['serve'], { WEIR_PORT: port, WEIR_DATA_DIR: await newFolder() });
    expect(await second.notes).toContain(`127.0.0.1:${port} is taken. Set WEIR_PORT to another port`);
    expect(await second.exited).toBe(3);
  });
});

describe('weir demo', () => {
  it('ends by itself with 0, its accounts in balance and its data gone', { timeout: 120_000 }, async () => {
    const temporary = await newFolder();
    const run = start(['demo', '--json'], { TMPDIR: temporary });
    const document = JSON.parse(await run.out);
    expect(await run.exited).toBe(0);
    expect(document.problem).toBeNull();
    expect(document.batch).toMatchObject({ status: 'completed', request_counts: { failed: 0 } });
    expect(document.ledger.total.amount_nano_usd).toBe(document.batch.cost.amount_nano_usd);
    expect(document.split).toHaveLength(3);
    for (const share of document.split) expect(Math.abs(share.got - share.wanted)).toBeLessThanOrEqual(1);
    expect(Object.values(document.failed_attempts as Record<string, number>).length).toBeGreaterThan(0);
    expect(await readdir(temporary)).toEqual([]);
    expect(await run.notes).toMatch(/\d+\/[\d,]+ done \(\d+ %\)/);
  });
});
