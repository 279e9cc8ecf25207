/** What a chaos run does and when: a function of its seed alone, so that a run is repeated by its seed. */
import { seededRandom } from '../../providers/sandbox/servers/random.ts';
import { serviceNames } from '../e2e/native-services.ts';
import {
  type Action,
  CALL_ROUTES,
  COMMANDS,
  DAMAGES,
  NATIVE_ROUTES,
  POOL_TROUBLES,
  POOLS,
  ROUTES,
  SERVICE_TROUBLES,
  type Step,
  TENANTS,
} from './actions.ts';
import { laterSteps } from './later-steps.ts';

export interface Plan {
  seed: number;
  seconds: number;
  /** One server on an embedded database, or two on a libSQL server and one folder of files. */
  servers: 1 | 2;
  /** How far the clocks of the servers are off from the start. */
  skewMs: number[];
  settings: Record<string, number>;
  /** Concurrency of each pool. */
  concurrency: number;
  poolLatencyMs: { min: number; max: number };
  jobMs: number;
  /** What it takes until a cancelled provider batch has ended: less or more than Weir waits for it. */
  cancelMs: number;
  /** What the budget of the batches of route `chain` bounds, which are stopped there; null: no budget is ever met. */
  tightNano: number | null;
  steps: Step[];
}

/** The plan of a seed; `shared`: a libSQL server can be started here. */
export function planOf(seed: number, seconds: number, shared: boolean): Plan {
  const random = seededRandom(seed);
  const below = (bound: number) => Math.floor(random() * bound);
  const between = (least: number, most: number) => least + below(most - least + 1);
  const pick = <T>(from: readonly T[]) => from[below(from.length)] as T;
  const servers = shared && random() < 0.4 ? 2 : 1;
  const span = seconds * 1000;
  const submit = (): Action => {
    const route = pick(ROUTES);
    const window = NATIVE_ROUTES.has(route) ? '24h' : pick(['immediate', 'immediate', '10m']);
    return { do: 'submit', tenant: below(TENANTS), lines: between(1, 150), route, window };
  };
  const diskTrouble = (server: number, forMs: number): Action => {
    switch (below(4)) {
      case 0:
        return { do: 'failing reads', server, forMs };
      case 1:
        return { do: 'failing syncs', server, count: between(1, 6) };
      case 2:
        return { do: 'damage results', how: pick(DAMAGES), pick: below(1_000) };
      default:
        return { do: 'full disk', forMs };
    }
  };
  const trouble = (): Action => {
    const server = below(servers);
    const forMs = between(200, 3_000);
    switch (below(12)) {
      case 0:
      case 1:
        return { do: 'kill', server, downMs: between(0, 1_500) };
      case 2:
        return { do: 'terminate', server, downMs: between(0, 1_000) };
      case 3:
        return { do: 'freeze', server, forMs: random() < 0.4 ? between(5_500, 8_000) : forMs };
      case 4:
        // Not far back: what is due later by the clock of before is then late by as much.
        return { do: 'clock', server, jumpMs: pick([-20_000, -3_000, -500, 3_000, 40_000, 600_000]) };
      case 5:
        return { do: 'slow disk', server, delayMs: between(20, 400), forMs };
      case 6:
        return diskTrouble(server, forMs);
      case 7:
        if (servers === 2) return { do: pick(['freeze database', 'restart database']), forMs };
        // Beyond the time that a write waits for the lock, too.
        return { do: 'lock database', forMs: random() < 0.3 ? between(6_000, 12_000) : forMs };
      case 8:
        return { do: 'pool crash', pool: below(POOLS), forMs };
      case 9:
      case 10:
        return { do: 'pool trouble', pool: below(POOLS), trouble: pick(POOL_TROUBLES), forMs };
      default:
        return { do: 'service trouble', service: pick(serviceNames), trouble: pick(SERVICE_TROUBLES), forMs };
    }
  };
  const command = (): Action => ({ do: 'command', command: pick(COMMANDS), pick: below(1_000) });
  const call = (): Action => {
    const route = pick(CALL_ROUTES);
    return { do: 'call', tenant: below(TENANTS), server: below(servers), route, stream: random() < 0.4 };
  };
  const steps: Step[] = [{ at: 0, action: submit() }];
  const add = (count: number, make: () => Action) => {
    for (let made = 0; made < count; made++) steps.push({ at: below(span), action: make() });
  };
  add(2 + seconds / 3, submit);
  add(seconds * 1.6, trouble);
  add(seconds * 1.2, command);
  add(seconds * 5, call);
  return {
    seed,
    seconds,
    servers,
    skewMs: servers === 1 ? [0] : [0, pick([0, -600_000, 600_000, 20_000])],
    settings: {
      // Of the seed alone, so that the plans of the others stay what they were.
      engine_threads: seed % 3 === 0 ? 2 : 0,
      segment_lines: between(5, 60),
      part_lines: between(3, 40),
      part_delay_ms: between(5, 150),
      max_open_segments: between(2, 16),
      lease_seconds: 5,
      drain_seconds: between(0, 2),
      poll_seconds_min: 1,
      cancel_seconds: 2,
      request_timeout_ms: 1_500,
      orphan_seconds: 15,
      unreadable_seconds: 1,
      // Of the seed alone, too.
      ahead_lines: 2 + (seed % 40),
      autobatch_wait_ms: 100 + (seed % 5) * 200,
      autobatch_window_seconds: 1,
    },
    concurrency: between(2, 24),
    poolLatencyMs: { min: between(0, 20), max: between(20, 250) },
    jobMs: between(50, 3_000),
    // Of the seed alone, as above; so is the budget, of some forty lines.
    cancelMs: seed % 2 === 0 ? 100 : 5_000,
    tightNano: seed % 3 === 1 ? 10_000 + (seed % 7) * 10_000 : null,
    steps: [...steps, ...laterSteps(seed, span, servers)].toSorted((a, b) => a.at - b.at),
  };
}

/** A step in a line of text. */
export function describe({ at, action }: Step): string {
  const { do: name, ...rest } = action;
  const details = Object.entries(rest).map(([key, value]) => `${key}=${value}`);
  return `${(at / 1000).toFixed(2).padStart(7)} s  ${[name, ...details].join('  ')}`;
}
