import type { Endpoint } from '../protocol/endpoint.ts';
import type { Metadata } from '../protocol/metadata.ts';
import type { Route } from '../protocol/route.ts';
import type { Subject } from './conditions.ts';
import { type Failure, refusal } from './failure.ts';
import type { Candidate, EnterOn, Lane } from './lane.ts';
import type { ModelNames } from './model-names.ts';
import { REFUSED_MODEL, refusedFailure } from './refused-request.ts';
import { type Balance, compileRoute, compileTarget, routeNeedsBody, type Step } from './route-steps.ts';
import { pickByCount, pickBySize, type WeightedPicker } from './weights.ts';

/** Lanes of one batch, the last of them for lines that found no room. */
export const LANES_MAX = 4_096;
/** Above this, spare targets no longer take turns: each turn makes lanes of its own. */
const TURNS_LANES_MAX = 1_024;
/** Other targets of a balanced group that a line may move to. */
const SPARES_MAX = 8;

export interface RoutedLine {
  model: string;
  endpoint: Endpoint;
  /** Length of the line, from which tokens are estimated. */
  bytes: number;
  /** Needed when `needsBody` says so. */
  body?: Record<string, unknown> | undefined;
  /** Of a single call, which has metadata of its own in place of a batch's. */
  metadata?: Metadata | null | undefined;
}

export interface LaneAssigner {
  /** Whether lines of this model are routed by what is in their bodies. */
  needsBody(model: string): boolean;
  /** The lane of the next line. Lines must come in the order of the file: the same order gives the same lanes. */
  assign(line: RoutedLine): number;
  /** The lanes so far; grows while lines are assigned. */
  readonly lanes: readonly Lane[];
}

export interface LaneAssignerOptions {
  names: ModelNames;
  /** The batch's own route, which comes before what the lines' models name. */
  batchRoute: Route | null;
  metadata: Metadata | null;
}

interface Compiled {
  step: Step;
  /** Name of the route that the model names. */
  route: string | null;
  lanes: Map<string, number>;
  hasOneWay: boolean;
  /** The lane of all lines, where there is one way through the step, and a line has gone it. */
  only: number | null;
}

/** Divides the lines of one batch over lanes, exactly by weight and always in the same way. */
export function createLaneAssigner({ names, batchRoute, metadata }: LaneAssignerOptions): LaneAssigner {
  const lanes: Lane[] = [];
  const byContent = new Map<string, number>();
  const compiled = new Map<string, Compiled>();
  const bodyNeeds = new Map<string, boolean>();
  const pickers = new Map<string, WeightedPicker>();
  let fullLane: number | null = null;
  /** What was named last: lines of one model mostly follow each other. */
  let last: { model: string; endpoint: Endpoint; is: Compiled } | null = null;

  function compile(model: string, endpoint: Endpoint): Compiled {
    if (last !== null && last.model === model && last.endpoint === endpoint) return last.is;
    const key = `${endpoint} ${model}`;
    let entry = compiled.get(key);
    if (entry === undefined) {
      const found = stepFor(model, endpoint);
      entry = { ...found, lanes: new Map(), hasOneWay: hasOneWay(found.step), only: null };
      compiled.set(key, entry);
    }
    last = { model, endpoint, is: entry };
    return entry;
  }

  function stepFor(model: string, endpoint: Endpoint): Pick<Compiled, 'step' | 'route'> {
    if (model === REFUSED_MODEL) return { step: { kind: 'refuse', failure: refusedFailure() }, route: null };
    const work = { names, model, endpoint };
    if (batchRoute !== null) return { step: compileRoute(batchRoute, '', work), route: null };
    const resolution = names.resolve(model);
    if (resolution.kind !== 'route') return { step: compileTarget(resolution, work), route: null };
    return { step: compileRoute(resolution.route, resolution.name, work), route: resolution.name };
  }

  function addLane(lane: Lane): number {
    const content = JSON.stringify(lane);
    const known = byContent.get(content);
    if (known !== undefined) return known;
    if (lanes.length >= LANES_MAX - 1) {
      fullLane ??= lanes.push({ kind: 'refuse', failure: noRoom() }) - 1;
      return fullLane;
    }
    const number = lanes.push(lane) - 1;
    byContent.set(content, number);
    return number;
  }

  return {
    lanes,
    needsBody(model) {
      let needs = bodyNeeds.get(model);
      if (needs === undefined) {
        const resolution = batchRoute === null ? names.resolve(model) : null;
        const route = resolution?.kind === 'route' ? resolution.route : batchRoute;
        needs = route !== null && routeNeedsBody(route);
        bodyNeeds.set(model, needs);
      }
      return needs;
    },
    assign(line) {
      const entry = compile(line.model, line.endpoint);
      if (entry.only !== null) return entry.only;
      const { step, route, lanes: known } = entry;
      const walk = startWalk(line, line.metadata ?? metadata, pickers, lanes.length < TURNS_LANES_MAX);
      visit(step, 'any', true, walk);
      let number = known.get(walk.trail);
      if (number === undefined) {
        number = addLane(toLane(walk, route));
        known.set(walk.trail, number);
      }
      if (entry.hasOneWay) entry.only = number;
      return number;
    },
  };
}

/** Whether every line goes the same way through a step, whatever it says and whichever came before it. */
function hasOneWay(step: Step): boolean {
  if (step.kind === 'chain') return step.steps.every(hasOneWay);
  if (step.kind === 'rescue') return hasOneWay(step.first) && step.spares.every(hasOneWay);
  return step.kind === 'target' || step.kind === 'refuse';
}

/** One line's way through the tree: the targets it may go to, in order. */
interface Walk {
  stops: { candidate: Candidate; enterOn: EnterOn }[];
  /** What has been chosen so far; tells lanes, and turns after different choices, apart. */
  trail: string;
  shared: number;
  failure: Failure | null;
  rescueAfterSeconds: number | null;
  bytes: number;
  subject: Subject;
  pickers: Map<string, WeightedPicker>;
  takeTurns: boolean;
}

function startWalk(
  line: RoutedLine,
  metadata: Metadata | null,
  pickers: Map<string, WeightedPicker>,
  takeTurns: boolean,
): Walk {
  const params = line.body ?? { model: line.model };
  const subject = { params, metadata: metadata ?? {}, url: { pathname: line.endpoint } };
  const nothingYet = { stops: [], trail: '', shared: 1, failure: null, rescueAfterSeconds: null };
  return { ...nothingYet, bytes: line.bytes, subject, pickers, takeTurns };
}

/** Adds the stops of `step`. `counted`: lines take turns here; spare members of a balanced group do not. */
function visit(step: Step, enterOn: EnterOn, counted: boolean, walk: Walk): void {
  switch (step.kind) {
    case 'target':
      walk.stops.push({ candidate: step.candidate, enterOn });
      return;
    case 'refuse':
      walk.failure ??= step.failure;
      return;
    case 'chain':
      visitChain(step.steps, enterOn, step.enterOn, counted, walk);
      return;
    case 'choose': {
      const index = step.cases.findIndex(({ test }) => test(walk.subject));
      walk.trail += `?${index}`;
      visit(step.cases[index]?.step ?? step.otherwise, enterOn, counted, walk);
      return;
    }
    case 'balance':
      visitBalance(step, enterOn, counted, walk);
      return;
    case 'rescue':
      visit(step.first, enterOn, counted, walk);
      walk.rescueAfterSeconds = step.afterSeconds;
      // A rescue is nobody's first target: without one, its lines are refused.
      if (walk.stops.length > 0) for (const spare of step.spares) visit(spare, 'trouble', false, walk);
      return;
    default:
      step satisfies never;
  }
}

function visitChain(steps: readonly Step[], first: EnterOn, later: EnterOn, counted: boolean, walk: Walk): void {
  const before = walk.stops.length;
  for (const step of steps) visit(step, walk.stops.length === before ? first : later, counted, walk);
}

function visitBalance(step: Balance, enterOn: EnterOn, counted: boolean, walk: Walk): void {
  const { members } = step;
  if (step.by === 'capacity' && walk.stops.length === 0) {
    for (const member of members) visit(member.step, walk.stops.length === 0 ? enterOn : 'trouble', counted, walk);
    walk.shared = walk.stops.length;
    return;
  }
  const isFirst = walk.stops.length === 0;
  const picked = counted && (isFirst || walk.takeTurns) ? pick(step, walk) : step.byWeight[0]!;
  walk.trail += `/${picked}`;
  visit(members[picked]!.step, enterOn, counted, walk);
  const others = step.byWeight.filter((index) => index !== picked).slice(0, SPARES_MAX);
  for (const index of others) visit(members[index]!.step, walk.stops.length === 0 ? enterOn : 'trouble', false, walk);
}

function pick(step: Balance, walk: Walk): number {
  // Turns of later stops are counted after each choice before them, so that both divisions stay independent.
  const key = walk.stops.length === 0 ? step.counter : `${step.counter} ${walk.trail}`;
  let picker = walk.pickers.get(key);
  if (picker === undefined) {
    const weights = step.members.map((member) => member.weight);
    picker = step.by === 'tokens' ? pickBySize(weights) : pickByCount(weights);
    walk.pickers.set(key, picker);
  }
  return picker.pick(walk.bytes);
}

function toLane(walk: Walk, route: string | null): Lane {
  if (walk.stops.length === 0) return { kind: 'refuse', failure: walk.failure ?? noTarget() };
  const candidates = walk.stops.map(({ candidate, enterOn }) => ({ ...candidate, enterOn }));
  const { shared, rescueAfterSeconds } = walk;
  return {
    kind: 'run',
    candidates,
    shared,
    ...(rescueAfterSeconds !== null && { rescueAfterSeconds }),
    ...(route !== null && { route }),
  };
}

function noTarget(): Failure {
  return refusal('unsupported', 'no_target', 'The route has no target that can take this request.', 'model');
}

function noRoom(): Failure {
  const message =
    `The batch mixes more than ${LANES_MAX - 1} combinations of model and targets. ` +
    'Split the file by model, or name fewer targets in the route.';
  return refusal('unsupported', 'too_many_lanes', message, 'model');
}
