import { priceFiles } from '../../../config/prices/index.ts';
import { createFetchHttpClient } from '../../../providers/shared/http-fetch.ts';
import { openR2Files } from '../../files/r2.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Store } from '../../ports/store.ts';
import { createAnswerCache } from '../../services/cache/answer-cache.ts';
import { openGates } from '../../services/gates/open-gates.ts';
import { createKeyLimiter } from '../../services/keys/limiter.ts';
import { refreshPrices } from '../../services/prices/refresh.ts';
import { openStore } from '../../store/open-web.ts';
import { systemClock } from '../clock.ts';
import { systemRandom } from '../random.ts';
import { boundHttp, CallBudget, countedFetch } from './calls.ts';
import { consoleLog } from './log.ts';
import { PROVIDER_CALLS_AT_ONCE, type Setup } from './setup.ts';
import { createWorkerWebhookSender } from './webhook-sender.ts';

/** How long an isolate goes without asking for prices that were stated elsewhere. */
const PRICES_SECONDS = 60;

/** Databases whose tables this isolate has seen made. */
const migrated = new Set<string>();

export interface Invocation {
  deps: Deps;
  calls: CallBudget;
  /** A further store, which can be closed without disturbing the others. */
  openStore: () => Promise<Store>;
}

/**
 * What one request or cron event works with. Each gets its own: workerd forbids one invocation to touch connections
 * and timers of another, and an invocation that waited for another's write would hang when that one is cancelled.
 */
export async function openInvocation(setup: Setup, nudge: (invocation: Invocation) => void): Promise<Invocation> {
  const { options, config } = setup;
  const calls = new CallBudget(setup.callLimit);
  const { databaseUrl: url, databaseAuthToken } = options;
  const { settings, providers } = config;
  const open = async (): Promise<Store> => {
    const authToken = databaseAuthToken ?? undefined;
    const store = await openStore({ url, authToken, migrated: migrated.has(url), onCall: () => calls.count() });
    migrated.add(url);
    return store;
  };
  const store = await open();
  const log = consoleLog(options.logLevel);
  const http = boundHttp(createFetchHttpClient(), calls, PROVIDER_CALLS_AT_ONCE);
  const deps: Deps = {
    store,
    files: openR2Files(setup.bucket),
    http,
    fetch: countedFetch(calls),
    webhookSender: createWorkerWebhookSender(http, config.webhookHosts),
    clock: systemClock,
    random: systemRandom,
    log,
    settings,
    providers,
    gates: openGates({ clock: systemClock, random: systemRandom, settings, providers, log }),
    configRoutes: config.routes,
    limiter: createKeyLimiter({ store, clock: systemClock }, config.keyLimits, setup.keyBudgets),
    answers: createAnswerCache({ store, clock: systemClock, log }),
    prices: setup.prices,
    priceFiles,
    ownPrices: config.ownPrices,
    nudge: () => nudge(invocation),
    adminKeyHash: setup.adminKeyHash,
  };
  await refreshPrices(deps, PRICES_SECONDS);
  const invocation: Invocation = { deps, calls, openStore: open };
  return invocation;
}
