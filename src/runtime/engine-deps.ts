import { priceFiles } from '../../config/prices/index.ts';
import { createNodeHttpClient } from '../../providers/shared/http-node.ts';
import { compilePrices } from '../core/price-book.ts';
import { openFsFiles } from '../files/fs.ts';
import type { Common } from '../ports/common.ts';
import type { Deps } from '../ports/deps.ts';
import type { Log } from '../ports/log.ts';
import type { Store } from '../ports/store.ts';
import { createAnswerCache } from '../services/cache/answer-cache.ts';
import { openGates } from '../services/gates/open-gates.ts';
import { servedProviders } from '../services/gates/served.ts';
import { createKeyLimiter } from '../services/keys/limiter.ts';
import { createInFlight } from '../services/segments/in-flight.ts';
import type { StoreAddress } from '../store/open-node.ts';
import { systemClock } from './clock.ts';
import { filesPlace } from './data-folders.ts';
import { Lateness } from './lateness.ts';
import type { Loaded } from './load.ts';
import { systemRandom } from './random.ts';
import type { ServerOptions } from './settings.ts';
import { SharedClock } from './shared-clock.ts';
import { nodeTokenizers } from './tokenizers.ts';
import { createWebhookSender } from './webhook-sender.ts';

interface Opened {
  store: Store;
  log: Log;
  /** What the steady clock of the main thread lacks to this thread's, in microseconds. */
  steadyMicros?: number;
  common?: Common | undefined;
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
    lateMs: (lastedMs: number) => lateness.ms(lastedMs),
  };
  const ask = isEmbedded ? async () => systemClock.now() : () => store.now();
  const clock = new SharedClock(ownClock, ask, common?.region('clock'));
  const { settings, providers } = config;
  await clock.sync().catch((error: unknown) => log.warn({ err: error }, 'the database does not tell the time'));
  const served = await servedProviders({ store, clock, log });
  const shared = common === undefined ? {} : { common };
  return {
    store,
    files: await openFsFiles(filesPlace(options).path),
    http: createNodeHttpClient({ proxies: options.proxies }),
    fetch: globalThis.fetch,
    clock,
    webhookSender: createWebhookSender(config.webhookHosts, {
      proxies: options.proxies,
      proxyResolves: config.webhookProxyResolves,
    }),
    random: systemRandom,
    log,
    settings,
    providers,
    ...shared,
    gates: openGates({ clock, random: systemRandom, settings, providers, log, ...shared }, served),
    configRoutes: config.routes,
    limiter: createKeyLimiter({ store, clock, ...shared }, config.keyLimits),
    inFlight: createInFlight(clock),
    answers: createAnswerCache({ store, clock, log, ...shared }),
    prices: compilePrices(priceFiles),
    priceFiles,
    ownPrices: config.ownPrices,
    nudge: () => undefined,
    tokenizers: nodeTokenizers(),
  };
}
