/**
 * Background work of a Worker: rounds bounded in time and calls, one at a time in an isolate. Rows are the truth, so a
 * round that is cut short, or a nudge that finds no room, leaves its work to the next cron event or another isolate.
 */
import { cameInTime } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import { Autobatch } from '../../services/autobatch/autobatch.ts';
import { BatchRunner } from '../../services/batches/run.ts';
import { Calls } from '../../services/calls/calls.ts';
import { EvalRunner } from '../../services/evals/work/runner.ts';
import { Engine } from '../../services/segments/engine.ts';
import { ShardRunner } from '../../services/shards/run.ts';
import { tick } from '../../services/tick.ts';
import { WebhookRunner } from '../../services/webhooks/run.ts';
import { SharedClock } from '../shared-clock.ts';
import type { Invocation } from './invocation.ts';

interface RoundLimits {
  /** How long lines are sent. */
  workMs: number;
  /** How long those in flight may take after that. */
  drainMs: number;
}

/** After an answer the platform grants 30 seconds; what is in flight then would be paid for and lost. */
const NUDGED: RoundLimits = { workMs: 10_000, drainMs: 16_000 };
/** The next event comes after a minute; a long drain costs only time. */
const CRON: RoundLimits = { workMs: 45_000, drainMs: 120_000 };

const CRON_WAIT_MS = 50_000;
const LOOK_MS = 100;
/** Commits and releases after the drain. */
const ENDING_MS = 4_000;

/** The isolate's only shared state: plain values, so that every invocation may touch it. */
let busyUntil = 0;
let nudged = false;

/** Starts a round for news of this invocation, or tells the one that runs. */
export async function nudgedRound(invocation: Invocation): Promise<void> {
  nudged = true;
  if (invocation.deps.clock.now() >= busyUntil) await run(invocation, NUDGED);
}

/** Runs a round when the isolate's last one is over, unless the next cron event comes before that. */
export async function cronRound(invocation: Invocation): Promise<void> {
  const { clock } = invocation.deps;
  const until = clock.now() + CRON_WAIT_MS;
  while (clock.now() < busyUntil) {
    if (clock.now() >= until) return;
    await clock.sleep(LOOK_MS);
  }
  await run(invocation, CRON);
}

async function run({ deps, calls, openStore }: Invocation, limits: RoundLimits): Promise<void> {
  const until = deps.clock.now() + limits.workMs;
  // A time, and not a promise: a round whose invocation is cancelled never says so.
  busyUntil = until + limits.drainMs + ENDING_MS;
  const drainSeconds = Math.min(deps.settings.drainSeconds, limits.drainMs / 1000);
  const store = await openStore();
  // Leases are shared with servers elsewhere.
  const clock = new SharedClock(deps.clock, () => store.now());
  await clock.sync().catch((error: unknown) => deps.log.warn({ err: error }, 'the database does not tell the time'));
  const own: Deps = {
    ...deps,
    store,
    clock,
    settings: { ...deps.settings, drainSeconds },
    nudge: () => {
      nudged = true;
    },
  };
  const mayGoOn = (): boolean => deps.clock.now() < until && !calls.spent.aborted;
  const autobatch = new Autobatch(own, new Calls(own), 'elsewhere');
  try {
    do {
      await work(own, mayGoOn);
      // What the last commits finished.
      const batches = new BatchRunner(own);
      if (!calls.spent.aborted) await tick(own, batches);
      await batches.idle();
      if (!calls.spent.aborted) await deliver(own, mayGoOn);
      if (!calls.spent.aborted) await makeBatches(own, autobatch, until, mayGoOn);
    } while (nudged && mayGoOn());
  } finally {
    // The engine gives some leases back without waiting; what is under way when an invocation ends is cancelled.
    await store.close();
    busyUntil = 0;
  }
}

/** Takes in answers of parked calls, and makes batches of those that are due before the round's end. */
async function makeBatches(
  { clock }: Deps,
  autobatch: Autobatch,
  until: number,
  mayGoOn: () => boolean,
): Promise<void> {
  while (mayGoOn()) {
    const dueMs = await autobatch.turn();
    // A batch that was made is news.
    if (nudged || dueMs === null || clock.now() + dueMs >= until) return;
    const at = clock.now() + dueMs;
    while (!nudged && clock.now() < at && mayGoOn()) await clock.sleep(LOOK_MS);
  }
}

/** Tells webhooks what the rounds brought about. */
async function deliver(deps: Deps, mayGoOn: () => boolean): Promise<void> {
  const webhooks = new WebhookRunner({ ...deps, nudge: () => undefined });
  while ((await webhooks.wake()) > 0 && mayGoOn()) await webhooks.idle();
  await webhooks.stop();
}

/** Ticks and sends until nothing is left to do here. */
async function work(deps: Deps, mayGoOn: () => boolean): Promise<void> {
  const engine = new Engine(deps);
  const shards = new ShardRunner(deps);
  // What it brings about is looked at below in any case: as news it would cost the calls of another turn.
  const batches = new BatchRunner({ ...deps, nudge: () => undefined });
  const evals = new EvalRunner(deps);
  const renewMs = (deps.settings.leaseSeconds * 1000) / 3;
  const renew = (): Promise<unknown> =>
    Promise.all([engine.renew(), shards.renew(), batches.renew(), evals.renew()]).catch((error: unknown) =>
      deps.log.error({ err: error }, 'lease renewal failed'),
    );
  try {
    do {
      nudged = false;
      while ((await tick(deps, batches)).batches > 0 && mayGoOn()) await batches.idle();
      await batches.idle();
      while ((await evals.wake()) > 0 && mayGoOn()) await evals.idle();
      await renew();
      await engine.wake();
      await shards.wake();
      await quiet(deps, engine, () => nudged || !mayGoOn(), deps.clock.now() + renewMs);
    } while (mayGoOn() && (nudged || !engine.idle));
    // A step that is cut short is taken up again from what it stored.
    await cameInTime(deps.clock, shards.idle(), deps.settings.drainSeconds * 1000);
  } finally {
    await shards.stop();
    await evals.stop();
    // What is in flight may outlast its leases.
    const stopped = new AbortController();
    const stopping = engine.stop().finally(() => stopped.abort());
    while (!stopped.signal.aborted) {
      await deps.clock.sleep(renewMs, stopped.signal);
      if (!stopped.signal.aborted) await renew();
    }
    await stopping;
  }
}

/** Waits until the engine is idle, there is news, or it is time to renew. News may come from other invocations. */
async function quiet(deps: Deps, engine: Engine, isNews: () => boolean, until: number): Promise<void> {
  const over = new AbortController();
  const idle = engine.untilIdle(over.signal);
  while (!engine.idle && !isNews() && deps.clock.now() < until) {
    await cameInTime(deps.clock, idle, LOOK_MS);
  }
  over.abort();
}
