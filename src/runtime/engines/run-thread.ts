/** One engine in a thread of its own, on what it shares with the others of its server. It ends when it is told to stop. */
import { parentPort, workerData } from 'node:worker_threads';
import { kinds } from '../../../providers/registry.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Log } from '../../ports/log.ts';
import type { Settings } from '../../ports/settings.ts';
import { refreshPrices } from '../../services/prices/refresh.ts';
import { Engine } from '../../services/segments/engine.ts';
import { attachStore } from '../../store/open-node.ts';
import { steadyOffset } from '../clock.ts';
import { addressOf, depsOn } from '../engine-deps.ts';
import { giveBackMemory } from '../give-back-memory.ts';
import { keepLeases } from '../keep-leases.ts';
import { type Loaded, loadConfig } from '../load.ts';
import { keepLooking } from '../look.ts';
import { useProxies } from '../use-proxies.ts';
import { ThreadCommon } from './common.ts';
import type { EngineReport, EngineThreadData, FromEngine, ToEngine } from './messages.ts';
import { AskedTurns } from './turns.ts';

const TICK_MS = 1_000;
const PRICES_SECONDS = 60;
const REPORT_MS = 250;

const data = workerData as EngineThreadData;
const port = parentPort;
if (port === null) throw new Error('an engine runs in a thread');
const tell = (message: FromEngine, transfer: Parameters<typeof port.postMessage>[1] = []): void =>
  port.postMessage(message, transfer);

const loaded = await loadConfig({
  environment: data.environment,
  kinds,
  readText: () => Promise.resolve(data.configText),
});
giveBackMemory();
useProxies(loaded.options.proxies);
const turns = new AskedTurns((key, change) => tell({ tell: 'turn', key, change }));
const common = new ThreadCommon(data.common, data.seat, {
  pump: (seat) => tell({ tell: 'pump', seat }),
  askTurn: (key, grant) => turns.ask(key, grant),
  endTurn: (key) => turns.over(key),
});
const deps = await openDeps(loaded);
await run(new Engine(deps));

async function openDeps(all: Loaded): Promise<Deps> {
  const store = await attachStore(addressOf(all.options), (thread, end) =>
    tell({ tell: 'database', thread, port: end }, [end]),
  );
  const opened = await depsOn(all, {
    store,
    log: toldLog(),
    steadyMicros: steadyOffset() - data.steadyOffset,
    common,
  });
  takeShare(opened, data.share);
  const settings = partOf(all.config.settings);
  return { ...opened, settings, nudge: (about) => tell({ tell: 'nudge', about }) };
}

/** The bounds of a server's memory, and of what a crash of it leaves in doubt, are divided among its engines. */
function partOf(settings: Settings): Settings {
  const part = (whole: number): number => Math.ceil(whole / settings.engineThreads);
  return { ...settings, partLines: part(settings.partLines), maxOpenSegments: part(settings.maxOpenSegments) };
}

function takeShare({ gates, limiter }: Pick<Deps, 'gates' | 'limiter'>, share: number): void {
  for (const gate of gates.values()) gate.takeShare(share);
  limiter.takeShare(share);
}

/** One log for all threads, in the main thread. */
function toldLog(): Log {
  const at =
    (level: keyof Log) =>
    (fields: object, message: string): void => {
      // Errors keep what they say on the way to another thread; what else is no data does not arrive at all.
      const texts = Object.entries(fields).map(([name, value]) => [
        name,
        value instanceof Error ? String(value) : value,
      ]);
      tell({ tell: 'log', level, fields: Object.fromEntries(texts), message });
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

async function run(engine: Engine): Promise<void> {
  const stopping = new AbortController();
  /** What is in flight at a stop is under lease until it is committed. */
  const stopped = new AbortController();
  let wake = new AbortController();
  let told = { renew: false, prices: true };
  const leaseMs = deps.settings.leaseSeconds * 1000;
  let renewedAt = deps.clock.now();
  const report = (what: string) => (error: unknown) => deps.log.error({ error: String(error) }, `${what} failed`);

  const renew = async (): Promise<void> => {
    const begunAt = deps.clock.now();
    await engine.renew();
    renewedAt = begunAt;
  };

  const work = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const { renew: mustRenew, prices } = told;
      told = { renew: false, prices: false };
      wake = new AbortController();
      const knowsPrices = await refreshPrices(deps, prices ? 0 : PRICES_SECONDS).then(
        () => true,
        (error: unknown) => {
          report('look at the prices')(error);
          return false;
        },
      );
      if (mustRenew || deps.clock.now() - renewedAt > leaseMs / 2) await renew().catch(report('lease renewal'));
      // Nothing more is begun that would be priced by what does not hold any more.
      if (knowsPrices || !prices) await engine.wake().catch(report('claim'));
      else told = { ...told, prices };
      await deps.clock.sleep(TICK_MS, AbortSignal.any([wake.signal, stopping.signal]));
    }
  };

  tell({ tell: 'ready', token: engine.token });
  const reporting = keepReporting(engine);
  const running = Promise.all([work(), keepLooking(deps, stopping.signal)]);
  const keep = () => renew().catch(report('lease renewal'));
  const keeping = keepLeases(deps, stopped.signal, keep, report('look at the clock'));
  await untilStop(({ renew: mustRenew, prices }) => {
    told = { renew: told.renew || mustRenew, prices: told.prices || prices };
    wake.abort();
  });
  stopping.abort();
  await Promise.all([running, engine.stop()]).finally(() => stopped.abort());
  await keeping;
  clearInterval(reporting);
  await closeAll();
  process.exit(0);
}

/** Takes what the main thread says, until that is to stop. */
function untilStop(onWake: (told: { renew: boolean; prices: boolean }) => void): Promise<void> {
  return new Promise((resolve) => {
    port?.on('message', (message: ToEngine) => {
      if (message.do === 'wake') onWake(message);
      else if (message.do === 'share') takeShare(deps, message.share);
      else if (message.do === 'turn') turns.granted(message.key);
      else if (message.do === 'stop') resolve();
      else {
        common.looks(data.seat);
        for (const gate of deps.gates.values()) gate.pump();
      }
    });
  });
}

async function closeAll(): Promise<void> {
  for (const gate of deps.gates.values()) gate.close();
  for (const provider of deps.providers.values()) await provider.close?.();
  await deps.http.close();
  await deps.webhookSender.close();
  await deps.store.close();
}

/** Tells how it stands, whenever that is another way. */
function keepReporting(engine: Engine): ReturnType<typeof setInterval> {
  let last = '';
  return setInterval(() => {
    const report = reportOf(engine);
    const text = JSON.stringify(report);
    if (text !== last) tell({ tell: 'report', report });
    last = text;
  }, REPORT_MS);
}

function reportOf(engine: Engine): EngineReport {
  const { gates, inFlight } = deps;
  return {
    figures: Object.fromEntries([...gates].map(([name, gate]) => [name, gate.figures()])),
    waiting: engine.snapshot(),
    inFlight: (inFlight?.batches() ?? []).map((batchId) => ({
      batchId,
      targets: [...(inFlight?.of(batchId) ?? [])],
      busy: inFlight?.busy(batchId) ?? [],
    })),
  };
}
