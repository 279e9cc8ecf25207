import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../src/store/migrate.ts';
import { MIGRATIONS } from '../../src/store/migrations/index.ts';
import { openDatabase } from '../../src/store/open-node.ts';
import { runCli } from './cli-terminal.ts';

const LAUNCH = fileURLToPath(new URL('../../src/runtime/cli/launch.js', import.meta.url));

/** A view of the file systems of its own, where its programs may mount what nobody else sees. */
const ownMounts = ['--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];
const canMount =
  process.platform === 'linux' &&
  spawnSync('unshare', [...ownMounts, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-start-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('weir serve, where it cannot start', () => {
  it('on a database of a newer version: says so, without a trace of the program', async () => {
    const database = await openDatabase({ url: `file:${join(folder, 'weir.db')}` });
    await migrate(database, [...MIGRATIONS, { name: '0099-newer', statements: [] }]);
    await database.close();
    const ran = await runCli(['serve'], { environment: { WEIR_DATA_DIR: folder, WEIR_PORT: '0' } });
    expect(ran.exitCode).toBe(3);
    expect(ran.notes).toMatch(/^weir: The database was written by a newer version of Weir: .*0099-newer.*\n$/);
  });

  it.runIf(process.platform === 'linux').each([
    [{ WEIR_DATA_DIR: '/proc/weir/data' }, 'WEIR_DATA_DIR: /proc/weir/data/weir.db cannot be written (ENOENT).'],
    [{ WEIR_FILES_URL: 'file:/proc/weir/files' }, 'WEIR_FILES_URL: /proc/weir/files cannot be written (ENOENT).'],
    [{ WEIR_DATABASE_URL: 'file:/proc/weir/a.db' }, 'WEIR_DATABASE_URL: /proc/weir/a.db cannot be written (ENOENT).'],
    [
      { WEIR_DATA_DIR: '/proc/weir', WEIR_DATABASE_URL: 'file:$/a.db', WEIR_FILES_URL: 'file:$/files' },
      'WEIR_DATA_DIR: /proc/weir/journal cannot be written (ENOENT).',
    ],
    [{ WEIR_FILES_URL: 'file:/dev/null' }, 'WEIR_FILES_URL: /dev/null cannot be written (ENOTDIR).'],
  ])('below a folder that takes no folders: says which setting names it: %j', (settings, said) => {
    const named = Object.entries(settings).map(([name, value]) => [name, value.replace('$', folder)]);
    const env = {
      ...process.env,
      WEIR_DATA_DIR: folder,
      WEIR_PORT: '0',
      WEIR_CONFIG: '',
      ...Object.fromEntries(named),
    };
    const killed = { timeout: 20_000, killSignal: 'SIGKILL' } as const;
    const ran = spawnSync(process.execPath, [LAUNCH, 'serve'], { encoding: 'utf8', env, ...killed });
    expect(ran.stderr).toContain(said);
    expect(ran.status).toBe(2);
  });

  // Of these sizes the first has no room for the lock, the second none for the tables.
  it.runIf(canMount).each(['4k', '64k'])('on a full disk of %s: says so, and what to do', async (size) => {
    const data = join(folder, 'data');
    await mkdir(data);
    const script = `mount -t tmpfs -o size=${size} tmpfs "$0" && exec "$@"`;
    const command = [...ownMounts, 'sh', '-c', script, data, process.execPath, LAUNCH, 'serve'];
    const env = { ...process.env, WEIR_DATA_DIR: data, WEIR_PORT: '0', WEIR_CONFIG: '' };
    const ran = spawnSync('unshare', command, { encoding: 'utf8', env, timeout: 60_000 });
    expect(ran.stderr).toMatch(/disk .*is full.*WEIR_DATA_DIR/s);
    expect(ran.stderr).not.toContain('Something went wrong');
    expect(ran.status).toBeGreaterThanOrEqual(2);
  });
});
