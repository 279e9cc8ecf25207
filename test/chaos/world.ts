/** Everything a chaos run works on: simulated providers, database, servers, and a disk of its own where that is allowed. */
import { spawnSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type SimulatedServer,
  startOpenAICompatibleServer,
} from '../../providers/sandbox/servers/openai-compatible.ts';
import { type DatabaseServer, startDatabaseServer } from '../../src/runtime/worker/dev/sqld.ts';
import { chatModels, type NativeServices, startNativeServices } from '../e2e/native-services.ts';
import { temporaryFolder } from '../e2e/weir.ts';
import { POOLS } from './actions.ts';
import { judgement } from './evals.ts';
import { HEALING, REFUSAL_RATE } from './healing.ts';
import { KeptTexts } from './kept-answers.ts';
import { keyIn } from './line-keys.ts';
import type { Plan } from './plan.ts';
import { Server } from './server.ts';

const DISK_MEGABYTES = 64;
const MODEL = 'gpt-4o-mini';
/** Bedrock takes no jobs of fewer than 100 records: lines of runs as small as these would all be calls there. */
const BEDROCK_RECORDS_MIN = 3;
/** Longer than all the jumps of a run's clocks. */
const KEPT = { mode: 'simple', max_age: 864_000 };

export interface World {
  plan: Plan;
  servers: Server[];
  pools: SimulatedServer[];
  keptTexts: KeptTexts;
  services: NativeServices;
  dataFolder: string;
  /** Of an embedded database: its file. */
  databaseFile: string | null;
  database: DatabaseServer | null;
  databaseFolder: string;
  /** The data lies on a small file system of its own, which can be filled. */
  hasOwnDisk: boolean;
  close(): Promise<void>;
}

export async function openWorld(plan: Plan): Promise<World> {
  const folder = await temporaryFolder();
  const dataFolder = join(folder, 'data');
  await mkdir(dataFolder);
  const hasOwnDisk = mountDisk(dataFolder);
  const keptTexts = new KeptTexts();
  const [services, pools] = await Promise.all([
    startNativeServices({ jobMs: plan.jobMs, countBy: lineKey }),
    Promise.all(Array.from({ length: POOLS }, (_, index) => startPool(plan, index, keptTexts))),
  ]);
  const { openai, azure, bedrock } = services.servers;
  bedrock.configure({ stop_ms: plan.cancelMs, ...(hasBedrockJobs(plan) && { records_min: BEDROCK_RECORDS_MIN }) });
  for (const server of [openai, azure]) server.configure({ cancel_ms: plan.cancelMs });
  const databaseFolder = join(dataFolder, 'sqld');
  const database = plan.servers === 2 ? await startDatabaseServer(databaseFolder) : null;
  const configPath = join(folder, 'weir.json');
  await writeFile(configPath, JSON.stringify(configOf(plan, services, pools)));
  const env: Record<string, string> = database ? { WEIR_DATABASE_URL: database.url } : {};
  const servers = Array.from(
    { length: plan.servers },
    (_, index) => new Server(`server ${index}`, configPath, dataFolder, env),
  );
  const world: World = {
    plan,
    servers,
    pools,
    keptTexts,
    services,
    dataFolder,
    databaseFile: database ? null : join(dataFolder, 'weir.db'),
    database,
    databaseFolder,
    hasOwnDisk,
    async close() {
      await Promise.all(servers.map((server) => server.kill()));
      await world.database?.stop();
      await Promise.all([services.stop(), ...pools.map((pool) => pool.stop())]);
      // Lazily: a client that was refused the database's lock may hold its file open until it is collected.
      if (hasOwnDisk) spawnSync('umount', ['-l', dataFolder]);
      await rm(folder, { recursive: true, force: true });
    },
  };
  // The first one makes the tables: two at once would both try.
  for (const [index, server] of servers.entries()) {
    server.clockJumps(plan.skewMs[index] ?? 0);
    await server.start();
  }
  return world;
}

/** Of the seed alone, as are the plan's settings that came later. */
function hasBedrockJobs({ seed }: Plan): boolean {
  return seed % 4 !== 0;
}

/** The key under which a line's calls are counted: its custom_id, which its text repeats. */
function lineKey(body: object): string | undefined {
  return keyIn(JSON.stringify(body));
}

function startPool(plan: Plan, index: number, keptTexts: KeptTexts): Promise<SimulatedServer> {
  return startOpenAICompatibleServer({
    models: [MODEL],
    seed: plan.seed + index,
    latency_ms: plan.poolLatencyMs,
    count_by: lineKey,
    answer: (body) => keptTexts.answer(body) ?? judgement(body),
    rate_content_filter: index === 0 ? REFUSAL_RATE : 0,
  });
}

/** Only where this process has a view of the file systems of its own: nothing is mounted for anybody else. */
function mountDisk(folder: string): boolean {
  if (process.env.WEIR_CHAOS_OWN_MOUNTS !== '1') return false;
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MEGABYTES}m`, 'tmpfs', folder]).status === 0;
}

function configOf(plan: Plan, services: NativeServices, pools: readonly SimulatedServer[]): object {
  const names = pools.map((_, index) => `pool-${index}`);
  const prices = [
    { input: 0.15, output: 0.6 },
    { gpu_hour: 2.5, gpus: 2 },
    { input: 0.1, output: 0.4 },
  ];
  const target = (index: number, more: object = {}) => ({ provider: names[index], model: MODEL, ...more });
  const native = Object.entries(chatModels).map(([provider, model]) => ({ provider, model, weight: 1 }));
  const retry = { attempts: 5 };
  return {
    providers: {
      ...services.providers,
      ...(hasBedrockJobs(plan) && {
        bedrock: { ...services.providers.bedrock, batch_limits: { lines_min: BEDROCK_RECORDS_MIN } },
      }),
      ...Object.fromEntries(
        pools.map((pool, index) => [
          names[index],
          {
            kind: 'vllm',
            base_urls: [pool.baseUrl],
            models: [MODEL],
            price: prices[index],
            limits: { concurrency: plan.concurrency },
          },
        ]),
      ),
    },
    routes: {
      pools: {
        strategy: { mode: 'loadbalance' },
        targets: [target(0, { weight: 3 }), target(1, { weight: 1 })],
        retry,
      },
      capacity: {
        strategy: { mode: 'loadbalance', by: 'capacity' },
        targets: [target(0, { weight: 2 }), target(1, { weight: 1 }), target(2, { weight: 1 })],
        retry,
      },
      chain: { strategy: { mode: 'fallback' }, targets: [target(2), target(0)], retry },
      native: { strategy: { mode: 'loadbalance' }, targets: native, retry },
      // What the services then still come to is waste.
      rescued: {
        strategy: { mode: 'loadbalance' },
        targets: native,
        rescue: { after: '1m', to: target(2) },
        retry,
      },
      mixed: { strategy: { mode: 'loadbalance' }, targets: [...native, target(2, { weight: 2 })], retry },
      kept: { strategy: { mode: 'fallback' }, targets: [target(2), target(1)], retry, cache: KEPT },
      // Two services, so that the same question goes to each of them often.
      'kept-native': {
        strategy: { mode: 'loadbalance' },
        targets: [plan.seed, plan.seed + 2].map((place) => native[place % native.length]),
        retry,
        cache: KEPT,
      },
      healed: { strategy: { mode: 'fallback' }, targets: [target(0), target(2)], retry, ...HEALING },
      'healed-native': {
        strategy: { mode: 'fallback' },
        targets: [{ strategy: { mode: 'loadbalance' }, targets: native }, target(2)],
        retry,
        on_truncation: { ...HEALING.on_truncation, to: plan.seed % 2 === 0 ? 'same' : 'next' },
      },
    },
    settings: plan.settings,
    webhooks: { allow_hosts: ['127.0.0.1'] },
  };
}
