/** What came to be done in chaos runs later, by random numbers of their own: the other steps of a seed stay what they were. */
import { seededRandom } from '../../providers/sandbox/servers/random.ts';
import { type Action, CALL_ROUTES, EVAL_ROUTES, HEALED_ROUTES, KEPT_ROUTES, type Step, TENANTS } from './actions.ts';
import { QUESTIONS } from './kept-answers.ts';

/** Beyond all seeds. */
const LATER = 1_000_000_000;
/** Shares of the seeds. */
const WITH_EVALS = 0.5;
const WITH_KEPT_ANSWERS = 0.5;

/** Steps at random times within a share of the run. */
type Add = (within: number, action: Action) => void;
type Below = (bound: number) => number;

export function laterSteps(seed: number, span: number, servers: number): Step[] {
  const steps: Step[] = [];
  const withDice = (round: number, make: (below: Below, add: Add) => void): void => {
    const random = seededRandom(seed + round * LATER);
    const below = (bound: number) => Math.floor(random() * bound);
    make(below, (within, action) => steps.push({ at: below(span * within), action }));
  };
  withDice(1, (below, add) => addHealedKeyedAndParked(below, add, servers));
  withDice(2, (below, add) => {
    if (below(1_000) < WITH_KEPT_ANSWERS * 1_000) addKeptAnswers(below, add, servers);
  });
  withDice(3, (below, add) => {
    if (below(1_000) < WITH_EVALS * 1_000) addEvals(below, add);
  });
  return steps;
}

function addHealedKeyedAndParked(below: Below, add: Add, servers: number): void {
  for (const route of HEALED_ROUTES) {
    const [lines, window] = route === 'healed' ? [40, 'immediate'] : [20, '24h'];
    add(0.5, { do: 'submit', tenant: below(TENANTS), lines: 1 + below(lines), route, window });
  }
  for (let made = 0; made < 4; made++)
    add(1, { do: 'call', tenant: below(TENANTS), server: below(servers), route: 'healed', stream: false });
  for (let made = 0; made < 6; made++) {
    const [route = 'chain', patienceMs = 0] = [CALL_ROUTES[below(CALL_ROUTES.length)], [100, 300, 5_000][below(3)]];
    add(1, { do: 'keyed call', tenant: below(TENANTS), route, patienceMs, twins: 1 + below(2) });
  }
  for (let made = 0; made < 5; made++) {
    const route = made % 3 === 2 ? 'native' : 'pools';
    const patienceMs = [300, 2_000, null][below(3)] ?? null;
    add(1, { do: 'parked call', tenant: below(TENANTS), route, patienceMs });
  }
}

/** Few questions, asked over and over by lines and calls of all tenants. */
function addKeptAnswers(below: Below, add: Add, servers: number): void {
  for (const route of [...KEPT_ROUTES, 'kept'] as const) {
    const window = route === 'kept' ? 'immediate' : '24h';
    for (let made = 0; made < 2; made++)
      add(0.7, { do: 'submit', tenant: below(TENANTS), lines: 1 + below(80), route, window });
  }
  for (let made = 0; made < 40; made++) {
    const cache = (['refresh', 'off'] as const)[below(12)] ?? 'use';
    const stream = below(3) === 0;
    add(1, {
      do: 'kept call',
      tenant: below(TENANTS),
      server: below(servers),
      question: below(QUESTIONS),
      stream,
      cache,
    });
  }
}

/** Evals of one to three targets, with a judge or without; now and then one is cancelled. */
function addEvals(below: Below, add: Add): void {
  const count = 1 + below(3);
  for (let made = 0; made < count; made++) {
    const routes = Array.from({ length: 1 + below(3) }, () => EVAL_ROUTES[below(EVAL_ROUTES.length)] ?? 'pools');
    add(0.6, {
      do: 'eval',
      tenant: below(TENANTS),
      rows: 1 + below(30),
      routes,
      isJudged: below(3) > 0,
      isFile: below(2) === 0,
    });
  }
  if (below(2) === 0) add(1, { do: 'see batches of evals' });
  if (below(3) === 0) add(1, { do: 'cancel eval', pick: below(1_000) });
}
