import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { getCompileCacheDir } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getRequestListener } from '@hono/node-server';
import { pino } from 'pino';
import { priceFiles } from '../../config/prices/index.ts';
import { kinds } from '../../providers/registry.ts';
import { createUndiciHttpClient } from '../../providers/shared/http-undici.ts';
import { compilePrices } from '../core/price-book.ts';
import { createDashboard } from '../dashboard/routes.ts';
import { openFsFiles } from '../files/fs.ts';
import { openJournals } from '../files/journal.ts';
import { createApp, createParts } from '../http/app.ts';
import { createCallListener } from '../http/call-listener.ts';
import { createMetrics } from '../http/metrics.ts';
import { keepUploadBody } from '../http/upload-body.ts';
import type { Deps } from '../ports/deps.ts';
import { createAnswerCache } from '../services/cache/answer-cache.ts';
import { recoverJournals } from '../services/calls/recover-journals.ts';
import { openGates } from '../services/gates/open-gates.ts';
import { bootstrap } from '../services/keys/bootstrap.ts';
import { createKeyLimiter } from '../services/keys/limiter.ts';
import { hashSecret } from '../services/keys/secret.ts';
import { refreshPrices } from '../services/prices/refresh.ts';
import { createInFlight } from '../services/segments/in-flight.ts';
import { openStore } from '../store/open-node.ts';
import { nodeAssets } from './assets.ts';
import { ThreadChecks } from './checks/thread-checks.ts';
import { systemClock } from './clock.ts';
import type { Environment } from './env.ts';
import { gaugeEngine } from './gauge-engine.ts';
import { Lateness } from './lateness.ts';
import { type Loaded, loadConfig } from './load.ts';
import { startLoop } from './loop.ts';
import { systemRandom } from './random.ts';
import { SharedClock } from './shared-clock.ts';
import { nodeTokenizers } from './tokenizers.ts';
import { createWebhookSender } from './webhook-sender.ts';

export interface StartOptions {
  env: Environment;
  /** A config object in place of the config file. */
  config?: unknown;
  /** Logs nothing. */
  quiet?: boolean;
}

export interface RunningServer {
  url: string;
  /** The first admin key, when this start made one: to be shown once. */
  adminKey: string | null;
  /** Finishes what is in flight and closes everything. */
  stop(): Promise<void>;
}

/** Starts Weir on Node. Throws StartError with every problem of environment and config at once. */
export async function startServer(options: StartOptions): Promise<RunningServer> {
  const loaded = await loadConfig({
    environment: options.env,
    kinds,
    readText: (path) =>
      options.config === undefined ? readText(path) : Promise.resolve(JSON.stringify(options.config)),
  });
  const deps = await nodeDeps(loaded, options.quiet === true);
  await refreshPrices(deps);
  const first = await bootstrap(deps);
  await recoverJournals(deps);
  let nudge = (): void => undefined;
  const nudging: Deps = { ...deps, nudge: () => nudge() };
  const loop = await startLoop(nudging, { exclusive: loaded.options.databaseUrl.startsWith('file:') });
  nudge = () => loop.nudge();
  if (deps.metrics) gaugeEngine(loop.engine, deps.gates, deps.metrics);

  const parts = createParts(nudging);
  parts.autobatch.start();
  const takesCall = createCallListener(nudging, parts);
  const app = createApp(nudging, parts);
  app.route('/dashboard', createDashboard());
  const serve = getRequestListener(app.fetch);
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    keepUploadBody(request);
    if (!takesCall(request, response)) void serve(request, response);
  });
  const { host, port } = loaded.options;
  const close = async (): Promise<void> => {
    for (const gate of deps.gates.values()) gate.close();
    for (const provider of deps.providers.values()) await provider.close?.();
    await deps.inputChecks?.close();
    await deps.http.close();
    await deps.webhookSender.close();
    await deps.store.close();
  };
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    await loop.stop();
    await close();
    throw error;
  }
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    adminKey: first?.secret ?? null,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await parts.autobatch.stop();
      await Promise.all([loop.stop(), parts.calls.stop(deps.settings.drainSeconds * 1000)]);
      // Downloads and followed outputs have had the drain time; a client that is still there reconnects.
      server.closeAllConnections();
      await closed;
      // The calls that were cut off just now have entries too.
      await parts.calls.stop(1_000);
      await parts.calls.close();
      await close();
    },
  };
}

/** The dependencies of a Node process, opened. */
export async function nodeDeps({ options, config }: Loaded, quiet: boolean): Promise<Deps> {
  const store = await openStore({
    url: options.databaseUrl,
    ...(options.databaseAuthToken === null ? {} : { authToken: options.databaseAuthToken }),
  });
  // An embedded database's clock is this machine's.
  const isEmbedded = options.databaseUrl.startsWith('file:');
  const lateness = new Lateness();
  const ownClock = { ...systemClock, lateMs: () => lateness.ms() };
  const clock = new SharedClock(ownClock, isEmbedded ? async () => systemClock.now() : () => store.now());
  const { settings, providers } = config;
  // Its last part names the version of Node.js, and is put there anew.
  const compileCache = getCompileCacheDir();
  const redact = ['*.authorization', '*.api_key', '*.secret'];
  const log = pino({ level: quiet ? 'silent' : options.logLevel, redact });
  await clock.sync().catch((error: unknown) => log.warn({ err: error }, 'the database does not tell the time'));
  return {
    store,
    files: await openFsFiles(filePath(options.filesUrl)),
    journals: openJournals(join(options.dataDir, 'journal')),
    http: createUndiciHttpClient(),
    clock,
    webhookSender: createWebhookSender(config.webhookHosts),
    random: systemRandom,
    log,
    settings,
    providers,
    gates: openGates({ clock, random: systemRandom, settings, providers }),
    configRoutes: config.routes,
    limiter: createKeyLimiter({ store, clock }, config.keyLimits),
    inFlight: createInFlight(clock),
    answers: createAnswerCache({ store, clock, log }),
    prices: compilePrices(priceFiles),
    priceFiles,
    ownPrices: config.ownPrices,
    nudge: () => undefined,
    adminKeyHash: options.adminKey === null ? null : hashSecret(options.adminKey),
    metrics: createMetrics({ process: true }),
    assets: nodeAssets(),
    tokenizers: nodeTokenizers(),
    inputChecks: new ThreadChecks(compileCache === undefined ? undefined : dirname(compileCache)),
  };
}

/** `file:./data/files` as well as `file:///var/lib/weir`. */
function filePath(url: string): string {
  return url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length);
}

/** Only a file that is not there counts as none: one that cannot be read must not start a server without its config. */
async function readText(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}
