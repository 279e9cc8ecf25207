import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { pino } from 'pino';
import { openJournals } from '../files/journal.ts';
import { createMetrics } from '../http/metrics.ts';
import type { Deps } from '../ports/deps.ts';
import type { Log } from '../ports/log.ts';
import { hashSecret } from '../services/keys/secret.ts';
import { createInFlight } from '../services/segments/in-flight.ts';
import { openSharedStore, type SharedStore } from '../store/open-node.ts';
import { nodeAssets } from './assets.ts';
import { ThreadChecks } from './checks/thread-checks.ts';
import { steadyOffset } from './clock.ts';
import { journalPlace } from './data-folders.ts';
import { addressOf, depsOn } from './engine-deps.ts';
import { allocateCommon, ThreadCommon } from './engines/common.ts';
import { EngineThreads } from './engines/engine-threads.ts';
import { ReportedInFlight } from './engines/reported-in-flight.ts';
import { Turns } from './engines/turns.ts';
import type { Environment } from './env.ts';
import type { Loaded } from './load.ts';
import { openWhenThere } from './open-when-there.ts';
import { systemRandom } from './random.ts';

const REDACTED = ['*.authorization', '*.api_key', '*.secret'];

/** The dependencies of a Node process, opened. */
export async function nodeDeps(loaded: Loaded, quiet: boolean): Promise<Deps> {
  const log = openLog(loaded, quiet);
  return mainDeps(loaded, await depsOn(loaded, { ...(await openStore(loaded, log)), log }));
}

/** The same with the engines that run in threads, for which these deps have a seat beside theirs. */
export async function threadedDeps(
  loaded: Loaded,
  environment: Environment,
  quiet: boolean,
): Promise<{ deps: Deps; engines(deps: Deps): EngineThreads }> {
  const { config, text } = loaded;
  const log = openLog(loaded, quiet);
  const { store, serve } = await openStore(loaded, log);
  const memory = allocateCommon(config.settings.engineThreads + 1, systemRandom.bytes(8));
  let pump = (_seat: number): void => undefined;
  const turns = new Turns();
  const common = new ThreadCommon(memory, 0, {
    pump: (seat) => pump(seat),
    askTurn: (key, grant) => turns.ask(key, 0, grant),
    endTurn: (key) => turns.over(key, 0),
  });
  const opened = await depsOn(loaded, { store, log, common });
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
        turns,
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

function openStore({ options }: Loaded, log: Log): Promise<SharedStore> {
  return openWhenThere(options.databaseUrl, () => openSharedStore(addressOf(options)), { log });
}

/** What the main thread has beside that. */
function mainDeps({ options }: Loaded, deps: Deps): Deps {
  const folder = compileCache();
  return {
    ...deps,
    journals: openJournals(journalPlace(options).path),
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
