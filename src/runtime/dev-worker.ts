/** `npm run dev:worker`: the Worker on this machine, with a libSQL server and cron, offline and without an account. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { startOpenAICompatibleServer } from '../../providers/sandbox/servers/openai-compatible.ts';
import { systemClock } from './clock.ts';
import { type Environment, processEnvironment } from './env.ts';
import { DEFAULT_CONFIG_PATH } from './load.ts';
import { StartError } from './problems.ts';
import { readServerOptions, type ServerOptions } from './settings.ts';
import { type LocalWorker, startLocalWorker } from './worker/dev/local-worker.ts';
import { hasDatabaseServer, startDatabaseServer } from './worker/dev/sqld.ts';

/** Cloudflare's cron has a minute; nobody waits that long for a try. */
const CRON_MS = 5_000;
const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

type Stop = () => Promise<unknown>;
const say = (text: string): unknown => process.stdout.write(`${text}\n`);

/** Starts everything, and stops it in the opposite order at the first signal. */
async function main(): Promise<void> {
  const environment = processEnvironment();
  const options = readServerOptions(environment);
  if (!options.ok) throw new StartError(options.problems);
  const stops: Stop[] = [];
  const ending = new AbortController();
  takeSignals(ending);
  try {
    const worker = await start(options.value, environment, stops);
    takeSignals(ending);
    void tickUntil(worker, ending.signal);
    if (!ending.signal.aborted) await once(ending.signal, 'abort');
    say('Stopping.');
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** Wrangler's own listeners, added as it starts, would end this process before the database has stopped. */
function takeSignals(ending: AbortController): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.removeAllListeners(signal);
    process.once(signal, () => ending.abort());
  }
}

async function start(options: ServerOptions, environment: Environment, stops: Stop[]): Promise<LocalWorker> {
  const dataDir = resolve(options.dataDir, 'worker');
  const databaseUrl = environment.WEIR_DATABASE_URL || (await startDatabase(dataDir, stops));
  const config = await readConfigFile(options, stops);
  const adminKey = options.adminKey ?? randomBytes(24).toString('base64url');
  const named = [...config.text.matchAll(VARIABLE)].map(([, name = '']) => [name, environment[name]] as const);
  const worker = await startLocalWorker({
    environment: {
      ...Object.fromEntries(named),
      WEIR_DATABASE_URL: databaseUrl,
      WEIR_DATABASE_AUTH_TOKEN: options.databaseAuthToken ?? undefined,
      WEIR_ADMIN_KEY: adminKey,
      WEIR_CONFIG_TEXT: config.text,
      WEIR_LOG_LEVEL: options.logLevel,
    },
    persist: join(dataDir, 'state'),
    port: options.port,
    watch: true,
    quiet: false,
  });
  stops.push(() => worker.stop());
  say(`Weir runs in workerd at ${worker.url}`);
  say(`  admin key  ${adminKey}`);
  say(`  config     ${config.name}`);
  say(`  data       ${dataDir}`);
  say('Press Ctrl-C to stop.');
  return worker;
}

async function startDatabase(dataDir: string, stops: Stop[]): Promise<string> {
  if (!hasDatabaseServer()) {
    const message =
      `npm has no libSQL server for ${process.platform} ${process.arch}. Start one yourself ` +
      '(github.com/tursodatabase/libsql) and name it, for example WEIR_DATABASE_URL=http://127.0.0.1:8080';
    throw new Error(message);
  }
  const database = await startDatabaseServer(join(dataDir, 'database'));
  stops.push(() => database.stop());
  return database.url;
}

/** The config file; without one a simulated server stands in, so that there is something to send to. */
async function readConfigFile(options: ServerOptions, stops: Stop[]): Promise<{ name: string; text: string }> {
  const path = options.configPath ?? DEFAULT_CONFIG_PATH;
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text !== null) return { name: path, text };
  if (options.configPath !== null) {
    throw new StartError([{ path: 'WEIR_CONFIG', message: 'there is no such file, or it cannot be read' }]);
  }
  const simulated = await startOpenAICompatibleServer({ models: ['small'], latency_ms: 50 });
  stops.push(() => simulated.stop());
  const pool = { kind: 'vllm', base_urls: [simulated.baseUrl], models: ['small'], price: { input: 0.1, output: 0.4 } };
  return { name: `none: a simulated server answers the model 'small'`, text: JSON.stringify({ providers: { pool } }) };
}

async function tickUntil(worker: LocalWorker, signal: AbortSignal): Promise<void> {
  for (;;) {
    await systemClock.sleep(CRON_MS, signal);
    if (signal.aborted) return;
    // The end of the Worker cuts off an event that is under way.
    await worker.cron().catch((error: unknown) => signal.aborted || say(String(error)));
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`dev:worker: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 3;
}
// Wrangler leaves handles of its own open.
process.exit();
