import { unixSeconds } from '../ports/clock.ts';
import type { Deps } from '../ports/deps.ts';
import { BatchRunner } from '../services/batches/run.ts';
import { addPeriods } from '../services/budgets/periods.ts';
import { ClockWatch } from '../services/clock-watch.ts';
import { EvalRunner } from '../services/evals/work/runner.ts';
import { Engine } from '../services/segments/engine.ts';
import { Presence } from '../services/servers/presence.ts';
import { sweepProviders } from '../services/shards/orphans.ts';
import { ShardRunner } from '../services/shards/run.ts';
import { FIRST_SWEEP, sweep } from '../services/sweep.ts';
import { tick } from '../services/tick.ts';
import { WebhookRunner } from '../services/webhooks/run.ts';
import { keepLeases } from './keep-leases.ts';
import { keepLooking } from './look.ts';

const TICK_MS = 1_000;
const SWEEP_MS = 60_000;

/** What runs the lines of batches: an engine in this thread, or those of several others. */
export interface LineEngine extends Pick<Engine, 'token' | 'wake' | 'renew' | 'stop' | 'snapshot'> {
  /** Begins its work; leases of earlier runs are free by then. */
  start?(): void;
  /** The part of the bounds that is this server's own, 0 to 1. */
  takeShare?(share: number): void;
}

export interface Loop {
  readonly engine: LineEngine;
  /** Whether provider batches are being worked on now. */
  readonly worksOnShards: boolean;
  /** Looks for work now instead of at the next tick. */
  nudge: Deps['nudge'];
  /** Finishes what is in flight, gives everything else back, and ends. */
  stop(): Promise<void>;
}

/**
 * Node's background work: ticks, the engine and its leases, sweeps. `exclusive`: no other process works on this
 * database, so leases of an earlier run are taken over at once instead of at their end.
 */
export async function startLoop(deps: Deps, options: { exclusive: boolean; engine?: LineEngine }): Promise<Loop> {
  const engine: LineEngine = options.engine ?? new Engine(deps);
  const shards = new ShardRunner(deps);
  const batches = new BatchRunner(deps, { isAlone: options.exclusive });
  const evals = new EvalRunner(deps);
  const webhooks = new WebhookRunner(deps);
  const presence = options.exclusive ? null : new Presence(deps, engine.token, (share) => engine.takeShare?.(share));
  const clockWatch = new ClockWatch(deps);
  const stopping = new AbortController();
  /** What is in flight at a stop is under lease until it is committed. */
  const stopped = new AbortController();
  /** Of the sleep between two rounds; null while there is none. */
  let wake: AbortController | null = null;
  let nudged = true;
  /** A nudge may be a cancel or a pause, that the engine has to ask about; what is only about batches is not. */
  let mayStop = true;
  const nudge: Deps['nudge'] = (about) => {
    nudged = true;
    if (about !== 'batches') mayStop = true;
    wake?.abort();
  };
  const report = (what: string) => (error: unknown) => deps.log.error({ error: String(error) }, `${what} failed`);

  if (options.exclusive) {
    await deps.store.segments.recover({ others: engine.token });
    await deps.store.shards.recover({ others: shards.token });
    await deps.store.batches.recover({ others: batches.token });
    await deps.store.evalWork.recover({ others: evals.token });
    await deps.store.idempotency.releaseAll();
    await deps.store.webhooks.recover({ others: webhooks.token });
    await deps.store.budgets.reclaim(unixSeconds(deps.clock), { calls: true });
    // Files of a batch that were begun before its end may be large.
    await deps.files.removeUnfinished?.(performance.timeOrigin);
  }

  // Before anything is sent by rates that others have a part of, or by budgets whose present periods nobody began.
  await presence?.announce();
  await addPeriods(deps, unixSeconds(deps.clock));
  engine.start?.();

  const leaseMs = deps.settings.leaseSeconds * 1000;
  let renewedAt = deps.clock.now();
  const renew = async (): Promise<void> => {
    const begunAt = deps.clock.now();
    const renewals = [engine, shards, batches, evals].map((each) => each.renew());
    const failed = (await Promise.allSettled(renewals)).filter(({ status }) => status === 'rejected');
    if (failed.length === 0) renewedAt = begunAt;
    for (const { reason } of failed as PromiseRejectedResult[]) report('lease renewal')(reason);
  };

  const work = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      // After a time without database or machine, or a clock that was set, what lapsed may be this process's own.
      if (deps.clock.now() - renewedAt > leaseMs / 2) await renew();
      await clockWatch.look().catch(report('look at the clock'));
      await presence?.look().catch(report('count of servers'));
      const told = mayStop;
      nudged = mayStop = false;
      const { batches: begun, changed } = await tick(deps, batches).catch((error: unknown) => {
        report('tick')(error);
        return { batches: 0, changed: false };
      });
      // A change may be an expiry: the engine asks what became of its batches.
      if (told || changed) await engine.renew().catch(report('lease renewal'));
      // The engine takes its turns by itself: batches do not wait while it opens what it has claimed.
      void engine.wake().catch(report('claim'));
      // Asked for together, they are one round trip to the database.
      await Promise.all([
        shards.wake().catch(report('claim of shards')),
        evals.wake().catch(report('claim of eval runs')),
        webhooks.wake().catch(report('claim of webhook deliveries')),
      ]);
      if (begun > 0 || nudged) continue;
      wake = new AbortController();
      await deps.clock.sleep(TICK_MS, AbortSignal.any([wake.signal, stopping.signal]));
      wake = null;
    }
  };

  const clean = async (): Promise<void> => {
    let cursors = FIRST_SWEEP;
    while (!stopping.signal.aborted) {
      await deps.clock.sleep(SWEEP_MS, stopping.signal);
      if (stopping.signal.aborted) return;
      try {
        cursors = await sweep(deps, cursors);
      } catch (error) {
        report('sweep')(error);
      }
    }
  };

  /** The first time soon: a crash is where orphans come from. */
  const findOrphans = async (): Promise<void> => {
    for (let waitMs = SWEEP_MS; ; waitMs = deps.settings.orphanSeconds * 1000) {
      await deps.clock.sleep(Math.min(waitMs, deps.settings.orphanSeconds * 1000), stopping.signal);
      if (stopping.signal.aborted) return;
      await sweepProviders(deps, stopping.signal).catch(report('search for orphans'));
    }
  };

  const running = Promise.all([work(), clean(), findOrphans(), keepLooking(deps, stopping.signal)]);
  const keep = () => Promise.all([renew(), presence?.announce().catch(report('word to other servers'))]);
  const keeping = keepLeases(deps, stopped.signal, keep, report('look at the clock'));
  return {
    engine,
    get worksOnShards() {
      return shards.isBusy;
    },
    nudge,
    async stop() {
      stopping.abort();
      const ends = [engine, shards, batches, evals, webhooks].map((each) => each.stop());
      await Promise.all([running, ...ends]).finally(() => stopped.abort());
      await keeping;
      await presence?.leave().catch(report('farewell to other servers'));
    },
  };
}
