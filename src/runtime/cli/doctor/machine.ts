import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rename, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kinds } from '../../../../providers/registry.ts';
import { formatProblem } from '../../../core/problems.ts';
import { openStore } from '../../../store/open-node.ts';
import type { Environment } from '../../env.ts';
import { DEFAULT_CONFIG_PATH, type Loaded, loadConfig } from '../../load.ts';
import { StartError } from '../../problems.ts';
import type { ServerOptions } from '../../settings.ts';
import { formatBytes, plural } from '../figures.ts';
import { nodeProblem } from '../version.ts';
import { type Check, finding, reasonOf } from './check.ts';

/** Checks of this machine: what a start of the server needs, without starting it. */
const FREE_BYTES_LEAST = 1e9;

export function checkNode(version: string): Check {
  const problem = nodeProblem(version);
  return problem === null ? finding('Node.js', 'ok', version) : finding('Node.js', 'failed', problem);
}

/** The configuration as the server would read it; `loaded` is null when it cannot. */
export async function checkConfig(environment: Environment): Promise<{ check: Check; loaded: Loaded | null }> {
  const name = 'Config';
  try {
    const readText = (path: string) => readFile(path, 'utf8').catch(() => null);
    const loaded = await loadConfig({ environment, kinds, readText });
    const path = loaded.options.configPath ?? DEFAULT_CONFIG_PATH;
    const { providers, routes } = loaded.config;
    if (providers.size > 0) {
      const detail = `${path}: ${plural(providers.size, 'provider')}, ${plural(routes.size, 'route')}`;
      return { check: finding(name, 'ok', detail), loaded };
    }
    const detail = existsSync(path) ? `${path} names no providers` : `there is no ${path}, so no providers`;
    const remedies = ['Copy config/weir.example.yaml to config/weir.yaml and keep the providers you have.'];
    return { check: finding(name, 'warning', detail, { remedies }), loaded };
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const { problems } = error;
    const remedies = problems.map(formatProblem);
    const detail = `${plural(problems.length, 'problem')}; the server would not start`;
    return { check: finding(name, 'failed', detail, { remedies }), loaded: null };
  }
}

/** Whether results can be kept safe in the folders of data and files: write, fsync, rename, delete. */
export async function checkFolders(options: ServerOptions): Promise<Check[]> {
  const dataDir = resolve(options.dataDir);
  const filesDir = resolve(localPath(options.filesUrl));
  const checks = [await checkFolder('Data folder', dataDir)];
  if (!filesDir.startsWith(dataDir)) checks.push(await checkFolder('Files folder', filesDir));
  return checks;
}

async function checkFolder(name: string, path: string): Promise<Check> {
  const folder = nearestExisting(path);
  const probe = join(folder, `.weir-doctor-${process.pid}`);
  try {
    const file = await open(probe, 'wx');
    try {
      await file.write('x');
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(probe, `${probe}-renamed`);
    await rm(`${probe}-renamed`);
  } catch (error) {
    await rm(probe, { force: true }).catch(() => undefined);
    const remedies = [`Let this user write to ${folder}, or set WEIR_DATA_DIR (or WEIR_FILES_URL) to another folder.`];
    return finding(name, 'failed', `${path} cannot be written (${reasonOf(error)})`, { remedies });
  }
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const detail = `${path} ${folder === path ? 'is writable' : 'can be made'}, ${formatBytes(free)} free`;
  if (free >= FREE_BYTES_LEAST) return finding(name, 'ok', detail);
  const remedies = ['Make room: inputs and outputs of batches are kept here.'];
  return finding(name, 'warning', detail, { remedies });
}

function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path));
}

/**
 * Whether the database opens and has, or can be given, this version's tables. A database file that does not exist yet is
 * tried out in a temporary folder, so that a look at a machine leaves nothing behind.
 */
export async function checkDatabase(options: ServerOptions): Promise<Check> {
  const name = 'Database';
  const isFile = options.databaseUrl.startsWith('file:');
  const isNew = isFile && !existsSync(localPath(options.databaseUrl));
  const trial = isNew ? await mkdtemp(join(tmpdir(), 'weir-doctor-')) : null;
  try {
    const url = trial === null ? options.databaseUrl : `file:${join(trial, 'weir.db')}`;
    const startedAt = performance.now();
    const store = await openStore({ url, authToken: options.databaseAuthToken ?? undefined });
    await store.ping();
    const latencyMs = performance.now() - startedAt;
    await store.close();
    const detail = isNew ? `${options.databaseUrl} will be made at the first start` : `${options.databaseUrl} opens`;
    return finding(name, 'ok', detail, { latencyMs });
  } catch (error) {
    const remedies = isFile
      ? ['Check who owns the file and its folder, and that no other program holds it locked.']
      : ['Check WEIR_DATABASE_URL and WEIR_DATABASE_AUTH_TOKEN, and that the server is up.'];
    return finding(name, 'failed', `${options.databaseUrl}: ${reasonOf(error)}`, { remedies });
  } finally {
    if (trial !== null) await rm(trial, { recursive: true, force: true });
  }
}

function localPath(url: string): string {
  return url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length);
}
