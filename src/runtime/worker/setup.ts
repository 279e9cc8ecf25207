import { createHash } from 'node:crypto';
import { priceFiles } from '../../../config/prices/index.ts';
import type { Kinds } from '../../../providers/contract-kind.ts';
import { kinds } from '../../../providers/registry.ts';
import { compilePrices, type PriceBook } from '../../core/price-book.ts';
import type { Problem } from '../../core/problems.ts';
import type { R2Bucket } from '../../files/r2.ts';
import { DEFAULT_SETTINGS, type Settings } from '../../ports/settings.ts';
import type { KnownBudgets } from '../../services/keys/limiter.ts';
import { type Config, readConfig } from '../config.ts';
import { StartError } from '../problems.ts';
import { readServerOptions, type ServerOptions } from '../settings.ts';
import { environmentOf, type WorkerBindings } from './bindings.ts';

/** Six connections at once are allowed to an invocation; one stays free for the database. */
export const PROVIDER_CALLS_AT_ONCE = 5;

/** What an isolate reads once. It holds no connection: those belong to the invocation that opened them. */
export interface Setup {
  options: ServerOptions;
  config: Config;
  bucket: R2Bucket;
  prices: PriceBook;
  /** Lower-case hex SHA-256. */
  adminKeyHash: string;
  /** What the keys used of late. */
  keyBudgets: KnownBudgets;
  /** Outgoing calls that one invocation may make. */
  callLimit: number;
}

/** Node's settings, cut down to 128 MB of memory. */
const WORKER_SETTINGS: Settings = {
  ...DEFAULT_SETTINGS,
  maxFileBytes: 512 * 1024 ** 2,
  maxLines: 500_000,
  maxLineBytes: 8 * 1024 ** 2,
  segmentLines: 100,
  segmentBytes: 4 * 1024 ** 2,
  maxOpenSegments: 4,
  partLines: 50,
  partBytes: 4 * 1024 ** 2,
  partDelayMs: 250,
  requestTimeoutMs: 120_000,
  maxResponseBytes: 16 * 1024 ** 2,
  defaultConcurrency: PROVIDER_CALLS_AT_ONCE,
  drainSeconds: 120,
  // Each has a connection while it streams, and the database needs one, too.
  maxShardSteps: 2,
  // So that the round after a call's answer can still make the batch.
  autobatchWaitMs: 4_000,
};

const CALL_LIMIT_LEAST = 50;
/** Half of what a paid plan allows: calls to the bucket count there too. */
const CALL_LIMIT = 5_000;
const CONFIG_VARIABLE = 'WEIR_CONFIG_TEXT';
const CALLS_VARIABLE = 'WEIR_MAX_SUBREQUESTS';

/** Reads bindings and config. Throws StartError with everything that is wrong in both. */
export async function readSetup(bindings: WorkerBindings): Promise<Setup> {
  const environment = environmentOf(bindings);
  const options = readServerOptions(environment);
  const config = await readConfig(environment[CONFIG_VARIABLE] ?? '', {
    environment,
    kinds: await portableKinds(),
    defaults: WORKER_SETTINGS,
  });
  const adminKey = environment.WEIR_ADMIN_KEY || null;
  const calls = environment[CALLS_VARIABLE] || String(CALL_LIMIT);
  const problems: Problem[] = [
    ...(options.ok ? [] : options.problems),
    ...(config.ok ? [] : config.problems.map(inConfig)),
    ...bindingProblems(bindings, environment.WEIR_DATABASE_URL ?? '', adminKey, calls),
  ];
  if (!options.ok || !config.ok || !bindings.FILES || adminKey === null || problems.length > 0) {
    throw new StartError(problems);
  }
  return {
    options: options.value,
    config: { ...config.value, providers: narrow(config.value.providers) },
    bucket: bindings.FILES,
    prices: compilePrices(priceFiles),
    adminKeyHash: createHash('sha256').update(adminKey).digest('hex'),
    keyBudgets: new Map(),
    callLimit: Number(calls),
  };
}

/** The kinds that need nothing that only Node has. */
async function portableKinds(): Promise<Kinds> {
  const read = await Promise.all([...kinds].map(async ([name, load]) => ({ name, kind: await load() })));
  return new Map(read.filter(({ kind }) => kind.nodeOnly !== true).map(({ name, kind }) => [name, async () => kind]));
}

/** More requests than there are connections would only wait, and their waiting would count as the provider's time. */
function narrow(providers: Config['providers']): Config['providers'] {
  return new Map(
    [...providers].map(([name, provider]) => {
      const concurrency = Math.min(provider.limits.concurrency ?? PROVIDER_CALLS_AT_ONCE, PROVIDER_CALLS_AT_ONCE);
      return [name, { ...provider, limits: { ...provider.limits, concurrency } }];
    }),
  );
}

function bindingProblems(
  bindings: WorkerBindings,
  databaseUrl: string,
  adminKey: string | null,
  calls: string,
): Problem[] {
  const problems: Problem[] = [];
  if (!bindings.FILES) problems.push({ path: 'FILES', message: 'bind an R2 bucket under this name in wrangler.toml' });
  if (!/^(libsql|https?):/.test(databaseUrl)) {
    const message = 'is required: the libsql: or http(s): URL of a libSQL server; a Worker has no disk';
    problems.push({ path: 'WEIR_DATABASE_URL', message });
  }
  if (adminKey === null) {
    const message =
      'is required: set it with `wrangler secret put WEIR_ADMIN_KEY`; a Worker has no place to show a new key';
    problems.push({ path: 'WEIR_ADMIN_KEY', message });
  }
  if (!/^\d{1,7}$/.test(calls) || Number(calls) < CALL_LIMIT_LEAST) {
    problems.push({ path: CALLS_VARIABLE, message: `must be a whole number from ${CALL_LIMIT_LEAST}` });
  }
  return problems;
}

function inConfig(problem: Problem): Problem {
  return { ...problem, path: problem.path === '' ? CONFIG_VARIABLE : `${CONFIG_VARIABLE}: ${problem.path}` };
}
