/** One chaos run: the world of a plan, its steps at their times, calm, and the audit. */
import { ADMIN_KEY } from '../e2e/weir.ts';
import { audit } from './audit.ts';
import { Batches } from './batches.ts';
import { Calls } from './calls.ts';
import { Evals } from './evals.ts';
import { Events } from './events.ts';
import { KeptAnswers } from './kept-answers.ts';
import { KeyedCalls } from './keyed-calls.ts';
import { ParkedCalls } from './parked-calls.ts';
import type { Plan } from './plan.ts';
import { Troubles } from './troubles.ts';
import { openWorld } from './world.ts';

export interface Outcome {
  /** Everything that broke; empty when all holds. */
  wrongs: string[];
  batches: number;
  lines: number;
  calls: number;
  /** The ends of the servers' logs. */
  logs: string;
}

const LOOK_MS = 150;

export async function runScenario(plan: Plan): Promise<Outcome> {
  const world = await openWorld(plan);
  const batches = new Batches();
  const calls = new Calls(world.servers, batches);
  const keyed = new KeyedCalls(world.servers, batches, calls);
  const events = new Events();
  const parked = new ParkedCalls(world.servers, batches);
  const kept = new KeptAnswers(world.servers, batches, calls, world.keptTexts);
  const evals = new Evals(batches);
  const clients = { batches, calls, keyed, parked, kept, evals };
  const troubles = new Troubles(world, clients);
  try {
    await batches.open(world.servers, ADMIN_KEY, plan);
    await events.open(batches);
    const started = Date.now();
    const acting: Promise<void>[] = [];
    const wrongly = (what: string) => (error: unknown) => {
      batches.wrongs.push(`${what}: ${String(error)}`);
    };
    let looks = 0;
    const look = setInterval(() => {
      acting.push(batches.look(looks++).catch(wrongly('look')));
    }, LOOK_MS);
    for (const step of plan.steps) {
      await new Promise((wake) => setTimeout(wake, Math.max(0, started + step.at - Date.now())));
      acting.push(troubles.begin(step.action).catch(wrongly(step.action.do)));
    }
    await new Promise((wake) => setTimeout(wake, Math.max(0, started + plan.seconds * 1000 - Date.now())));
    clearInterval(look);
    keyed.isOver = true;
    await troubles.calm();
    parked.isOver = true;
    await Promise.all(acting);
    const wrongs = await audit(world, { ...clients, events }, troubles);
    return {
      wrongs,
      batches: batches.submitted.length,
      lines: batches.submitted.reduce((sum, { input }) => sum + input.trimEnd().split('\n').length, 0),
      calls: world.pools.reduce((sum, { counters }) => sum + counters.received, 0),
      logs: world.servers.map(({ name, log }) => `--- ${name}\n${log}`).join('\n'),
    };
  } finally {
    await events.close();
    await world.close();
  }
}
