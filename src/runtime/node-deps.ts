import { getCompileCacheDir } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { priceFiles } from '../../config/prices/index.ts';
import { createUndiciHttpClient } from '../../providers/shared/http-undici.ts';
import { compilePrices } from '../core/price-book.ts';
import { openFsFiles } from '../files/fs.ts';
import { openJournals } from '../files/journal.ts';
import { createMetrics } from '../http/metrics.ts';
import type { Common } from '../ports/common.ts';
import type { Deps } from '../ports/deps.ts';
import type { Log } from '../ports/log.ts';
import type { Store } from '../ports/store.ts';
import { createAnswerCache } from '../services/cache/answer-cache.ts';
import { openGates } from '../services/gates/open-gates.ts';
import { createKeyLimiter } from '../services/keys/limiter.ts';
import { hashSecret } from '../services/keys/secret.ts';
import { createInFlight } from '../services/segments/in-flight.ts';
import { openSharedStore, type StoreAddress } from '../store/open-node.ts';
import { nodeAssets } from './assets.ts';
import { ThreadChecks } from './checks/thread-checks.ts';
import { steadyOffset, systemClock } from './clock.ts';
import { allocateCommon, ThreadCommon } from './engines/common.ts';
import { EngineThreads } from './engines/engine-threads.ts';
import { ReportedInFlight } from './engines/reported-in-flight.ts';
import type { Environment } from './env.ts';
import { Lateness } from './lateness.ts';
import type { Loaded } from './load.ts';
import { systemRandom } from './random.ts';
import type { ServerOptions } from './settings.ts';
import { SharedClock } from './shared-clock.ts';
import { nodeTokenizers } from './tokenizers.ts';
import { createWebhookSender } from './webhook-sender.ts';

const REDACTED = ['*.authorization', '*.api_key', '*.secret'];

interface Opened {
  store: Store;
  log: Log;
  /** What the steady clock of the main thread lacks to this thread's, in microseconds. */
  steadyMicros?: number;
  common?: Common | undefined;
}

/** The dependencies of a Node process, opened. */
export async function nodeDeps(loaded: Loaded, quiet: boolean): Promise<Deps> {
  const { options } = loaded;
  return mainDeps(
    loaded,
    await depsOn(loaded, { ...(await openSharedStore(addressOf(options))), log: openLog(loaded, quiet) }),
  );
}

/** The same with the engines that run in threads, for which these deps have a seat beside theirs. */
export async function threadedDeps(
  loaded: Loaded,
  environment: Environment,
  quiet: boolean,
): Promise<{ deps: Deps; engines(deps: Deps): EngineThreads }> {
  const { config, options, text } = loaded;
  const { store, serve } = await openSharedStore(addressOf(options));
  const memory = allocateCommon(config.settings.engineThreads + 1, systemRandom.bytes(8));
  let pump = (_seat: number): void => undefined;
  const common = new ThreadCommon(memory, 0, (seat) => pump(seat));
  const opened = await depsOn(loaded, { store, log: openLog(loaded, quiet), common });
  const inFlight = new ReportedInFlight(createInFlight(opened.clock));
  return {
    deps: { ...mainDeps(loaded, opened), inFlight },
    engines(deps) {
      const engines = new EngineThreads(deps, {
        environment,
        configText: text,
        settings: config.settings,
        memory,
        common,
        inFlight,
        serve,
        steadyOffset: steadyOffset(),
        compileCache: compileCache(),
      });
      pump = (seat) => engines.pump(seat);
      return engines;
    },
  };
}

export function addressOf({ databaseUrl, databaseAuthToken }: ServerOptions): StoreAddress {
  return { url: databaseUrl, ...(databaseAuthToken === null ? {} : { authToken: databaseAuthToken }) };
}

/** What a thread needs that runs lines of batches, on an open store. */
export async function depsOn(
  { options, config }: Loaded,
  { store, log, steadyMicros = 0, common }: Opened,
): Promise<Deps> {
  // An embedded database's clock is this machine's.
  const isEmbedded = options.databaseUrl.startsWith('file:');
  const lateness = new Lateness();
  const ownClock = {
    ...systemClock,
    micros: () => systemClock.micros() + steadyMicros,
    lateMs: () => lateness.ms(),
  };
  const clock = new SharedClock(ownClock, isEmbedded ? async () => systemClock.now() : () => store.now());
  const { settings, providers } = config;
  await clock.sync().catch((error: unknown) => log.warn({ err: error }, 'the database does not tell the time'));
  const shared = common === undefined ? {} : { common };
  return {
    store,
    files: await openFsFiles(filePath(options.filesUrl)),
    http: createUndiciHttpClient(),
    clock,
    webhookSender: createWebhookSender(config.webhookHosts),
    random: systemRandom,
    log,
    settings,
    providers,
    ...shared,
    gates: openGates({ clock, random: systemRandom, settings, providers, ...shared }),
    configRoutes: config.routes,
    limiter: createKeyLimiter({ store, clock, ...shared }, config.keyLimits),
    inFlight: createInFlight(clock),
    answers: createAnswerCache({ store, clock, log }),
    prices: compilePrices(priceFiles),
    priceFiles,
    ownPrices: config.ownPrices,
    nudge: () => undefined,
    tokenizers: nodeTokenizers(),
  };
}

/** What the main thread has beside that. */
function mainDeps({ options }: Loaded, deps: Deps): Deps {
  const folder = compileCache();
  return {
    ...deps,
    journals: openJournals(join(options.dataDir, 'journal')),
    adminKeyHash: options.adminKey === null ? null : hashSecret(options.adminKey),
    metrics: createMetrics({ process: true }),
    assets: nodeAssets(),
    inputChecks: new ThreadChecks(folder),
  };
}

function openLog({ options }: Loaded, quiet: boolean): Log {
  return pino({ level: quiet ? 'silent' : options.logLevel, redact: REDACTED });
}

/** Where threads keep compiled code. */
function compileCache(): string | undefined {
  // Its last part names the version of Node.js, and is put there anew.
  const folder = getCompileCacheDir();
  return folder === undefined ? undefined : dirname(folder);
}

/** `file:./data/files` as well as `file:///var/lib/weir`. */
function filePath(url: string): string {
  return url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length);
}
