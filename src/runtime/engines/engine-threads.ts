/** The engines of a server, each in a thread of its own: starts them, passes word between them, and replaces one that dies. */
import { Worker } from 'node:worker_threads';
import { formatId, ID_BYTES } from '../../core/ids.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Settings } from '../../ports/settings.ts';
import type { SharedStore } from '../../store/open-node.ts';
import type { Environment } from '../env.ts';
import type { LineEngine } from '../loop.ts';
import type { CommonMemory, ThreadCommon } from './common.ts';
import type { EngineReport, EngineThreadData, FromEngine, ToEngine } from './messages.ts';
import type { ReportedInFlight } from './reported-in-flight.ts';
import type { Turns } from './turns.ts';

/** An engine that died starts again after a moment, twice as long each time that it lived for less than a minute. */
const RESTART_MS = 100;
const RESTART_MS_MAX = 30_000;
const LIVED_MS = 60_000;
/** Beyond the time of draining, a thread has so long to commit and to close what it opened. */
const CLOSE_MS = 15_000;

/** What lines make is short-lived. */
const YOUNG_MEGABYTES = 24;

interface EngineThread {
  readonly seat: number;
  readonly worker: Worker;
  readonly startedAt: number;
  readonly ended: Promise<void>;
  /** null until it is ready. */
  token: string | null;
  report: EngineReport | null;
}

export interface ThreadsSetup {
  environment: Environment;
  configText: string;
  settings: Pick<Settings, 'engineThreads' | 'drainSeconds'>;
  memory: CommonMemory;
  common: ThreadCommon;
  turns: Turns;
  inFlight: ReportedInFlight;
  /** Brings threads to an embedded database. */
  serve: SharedStore['serve'];
  steadyOffset: number;
  /** A folder for compiled code. */
  compileCache: string | undefined;
}

type ThreadsDeps = Pick<Deps, 'store' | 'gates' | 'log' | 'random' | 'clock' | 'prices' | 'nudge'>;

export class EngineThreads implements LineEngine {
  readonly token: string;
  private readonly setup: ThreadsSetup;
  private readonly deps: ThreadsDeps;
  private readonly threads = new Map<number, EngineThread>();
  /** How often in a row the engine of a seat died young. */
  private readonly deaths = new Map<number, number>();
  private readonly restarts = new Map<number, ReturnType<typeof setTimeout>>();
  private share = 1;
  /** Of the price book, as the engines know it: another first row means that it was made anew. */
  private prices: unknown;
  private stopping = false;

  constructor(deps: ThreadsDeps, setup: ThreadsSetup) {
    this.deps = deps;
    this.setup = setup;
    this.token = formatId('req_', deps.random.bytes(ID_BYTES)).slice('req_'.length);
  }

  start(): void {
    this.prices = this.firstPrice();
    for (let seat = 1; seat <= this.setup.settings.engineThreads; seat++) this.startThread(seat);
  }

  wake(): Promise<void> {
    this.wakeAll(false);
    return Promise.resolve();
  }

  /** Their leases the engines renew by themselves: what is to be learned is what became of their batches. */
  renew(): Promise<void> {
    this.wakeAll(true);
    return Promise.resolve();
  }

  /** The part of the bounds that is this server's own, 0 to 1. */
  takeShare(share: number): void {
    this.share = share;
    this.tellAll({ do: 'share', share });
  }

  /** Lets the engine of a seat look at its gates. */
  pump(seat: number): void {
    this.threads.get(seat)?.worker.postMessage({ do: 'pump' } satisfies ToEngine);
  }

  snapshot(): { provider: string; waiting: number }[] {
    const sums = new Map<string, number>();
    for (const { report } of this.threads.values()) {
      for (const { provider, waiting } of report?.waiting ?? []) {
        sums.set(provider, (sums.get(provider) ?? 0) + waiting);
      }
    }
    return [...sums].map(([provider, waiting]) => ({ provider, waiting }));
  }

  async stop(): Promise<void> {
    this.stopping = true;
    for (const timer of this.restarts.values()) clearTimeout(timer);
    this.tellAll({ do: 'stop' });
    await Promise.all([...this.threads.values()].map((thread) => this.endThread(thread)));
  }

  private async endThread({ worker, seat, ended }: EngineThread): Promise<void> {
    const over = new AbortController();
    const waitMs = this.setup.settings.drainSeconds * 1000 + CLOSE_MS;
    const late = this.deps.clock.sleep(waitMs, over.signal).then(() => {
      if (over.signal.aborted) return;
      this.deps.log.error({ engine: seat }, 'an engine does not stop: its thread is ended');
      return worker.terminate();
    });
    await ended;
    over.abort();
    await late;
  }

  private startThread(seat: number): void {
    this.restarts.delete(seat);
    const { environment, configText, memory, steadyOffset, compileCache } = this.setup;
    const workerData: EngineThreadData = {
      environment,
      configText,
      seat,
      common: memory,
      steadyOffset,
      share: this.share,
      compileCache,
    };
    // The process's own flags may be of a kind that a thread does not take.
    const worker = new Worker(new URL('./thread.js', import.meta.url), {
      name: `engine ${seat}`,
      workerData,
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    });
    let failure: unknown = null;
    worker.on('error', (error) => {
      failure = error;
    });
    const exited = new Promise<number>((resolve) => worker.once('exit', resolve));
    const startedAt = this.deps.clock.micros();
    const ended = exited.then((code) => this.afterEnd(thread, code, failure));
    const thread: EngineThread = { seat, worker, startedAt, ended, token: null, report: null };
    this.threads.set(seat, thread);
    worker.on('message', (message: FromEngine) => this.take(thread, message));
  }

  private take(thread: EngineThread, message: FromEngine): void {
    const { log, gates, nudge } = this.deps;
    if (message.tell === 'ready') thread.token = message.token;
    else if (message.tell === 'nudge') nudge(message.about);
    else if (message.tell === 'log') log[message.level]({ ...message.fields, engine: thread.seat }, message.message);
    else if (message.tell === 'turn') this.takeTurn(thread, message);
    else if (message.tell === 'database') this.serve(message.thread, message.port);
    else if (message.tell === 'report') {
      thread.report = message.report;
      this.note(thread.seat, message.report);
    } else if (message.seat !== 0) this.pump(message.seat);
    else {
      this.setup.common.looks(0);
      for (const gate of gates.values()) gate.pump();
    }
  }

  private takeTurn({ seat, worker }: EngineThread, { key, change }: { key: string; change: 'ask' | 'over' }): void {
    const { turns } = this.setup;
    if (change === 'over') turns.over(key, seat);
    else turns.ask(key, seat, () => worker.postMessage({ do: 'turn', key } satisfies ToEngine));
  }

  private serve(...[thread, port]: Parameters<NonNullable<SharedStore['serve']>>): void {
    // A port that is closed tells the engine that the database is not there: it asks again.
    void this.setup.serve?.(thread, port).catch(() => port.close());
  }

  private note(seat: number, report: EngineReport | null): void {
    this.setup.common.note(seat, report?.figures ?? null);
    this.setup.inFlight.note(seat, report?.inFlight ?? null);
  }

  /** What it had in flight is free again at once, and its leases are given back: the lines go on elsewhere. */
  private async afterEnd(thread: EngineThread, code: number, failure: unknown): Promise<void> {
    const { seat, token } = thread;
    this.threads.delete(seat);
    this.note(seat, null);
    this.setup.common.looks(seat);
    this.setup.turns.leave(seat);
    for (const gate of this.deps.gates.values()) gate.vacate(seat);
    if (this.stopping && failure === null && code === 0) return;
    const fields = { engine: seat, code, ...(failure !== null && { error: String(failure) }) };
    this.deps.log.error(fields, 'an engine has died; what it had in hand goes on elsewhere');
    if (token !== null) {
      await this.deps.store.segments
        .recover({ holder: token })
        .catch((error: unknown) =>
          this.deps.log.warn({ error: String(error) }, 'its leases could not be given back; they end by themselves'),
        );
    }
    if (this.stopping) return;
    this.startAgain(thread);
    this.deps.nudge();
  }

  private startAgain({ seat, startedAt }: EngineThread): void {
    const livedMs = (this.deps.clock.micros() - startedAt) / 1000;
    const deaths = livedMs >= LIVED_MS ? 0 : (this.deaths.get(seat) ?? 0);
    this.deaths.set(seat, deaths + 1);
    const waitMs = Math.min(RESTART_MS_MAX, RESTART_MS * 2 ** Math.min(deaths, 20));
    this.restarts.set(
      seat,
      setTimeout(() => this.startThread(seat), waitMs),
    );
  }

  private wakeAll(renew: boolean): void {
    const first = this.firstPrice();
    const prices = first !== this.prices;
    this.prices = first;
    this.tellAll({ do: 'wake', renew, prices });
  }

  private firstPrice(): unknown {
    return this.deps.prices.values().next().value;
  }

  private tellAll(message: ToEngine): void {
    for (const { worker } of this.threads.values()) worker.postMessage(message);
  }
}
