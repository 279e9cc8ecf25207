import { targetName } from '../../src/core/lane.ts';
import { createModelNames, type ProviderFacts } from '../../src/core/model-names.ts';
import { checkRoute } from '../../src/core/route-check.ts';
import { createLaneAssigner, type LaneAssigner } from '../../src/core/routing.ts';
import { ENDPOINTS, type Endpoint } from '../../src/protocol/endpoint.ts';
import type { Route } from '../../src/protocol/route.ts';

export const CHAT: Endpoint = '/v1/chat/completions';

export function facts(
  models: string[] | null,
  endpoints: readonly Endpoint[] = ENDPOINTS,
  silent = false,
): ProviderFacts {
  return { endpoints, models, silent };
}

const providers = new Map<string, ProviderFacts>([
  ['a', facts(['m', 'shared', 'org/model'])],
  ['b', facts(['shared', 'a/odd'])],
  ['c', facts(null)],
  ['chat-only', facts(['chatty'], [CHAT])],
]);

/** A route as it is stored; throws where its check finds a problem. */
export function route(config: unknown): Route {
  const checked = checkRoute(config, new Set(providers.keys()));
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems));
  return checked.value;
}

/** Divides lines by the route of a batch, or by named ones, over the providers above. */
export function assigner(batch: unknown, routes: Record<string, unknown> = {}, metadata = {}): LaneAssigner {
  const named = new Map(Object.entries(routes).map(([name, config]) => [name, route(config)]));
  const names = createModelNames(named, providers);
  return createLaneAssigner({ names, batchRoute: batch === null ? null : route(batch), metadata });
}

/** The lane of the next line. */
export function laneOf(lanes: LaneAssigner, line: Partial<Parameters<LaneAssigner['assign']>[0]> = {}) {
  const number = lanes.assign({ model: 'm', endpoint: CHAT, bytes: 100, ...line });
  const lane = lanes.lanes[number];
  if (lane === undefined) throw new Error(`no lane ${number}`);
  return lane;
}

/** `a/x b/y(trouble)`: the candidates of a lane, or why it refuses. */
export function show(lane: ReturnType<typeof laneOf>): string {
  if (lane.kind === 'refuse') return `refuse ${lane.failure.code}`;
  return lane.candidates
    .map((candidate, index) => targetName(candidate) + (index === 0 ? '' : `(${String(candidate.enterOn)})`))
    .join(' ');
}

/** How many lines go to each first target. */
export function split(lanes: LaneAssigner, lines: number, line: Partial<Parameters<LaneAssigner['assign']>[0]> = {}) {
  const counts: Record<string, number> = {};
  for (let index = 0; index < lines; index += 1) {
    const first = show(laneOf(lanes, line)).split(' ')[0]!;
    counts[first] = (counts[first] ?? 0) + 1;
  }
  return counts;
}

/** Three targets by weight. */
export const balanced = {
  strategy: { mode: 'loadbalance' },
  targets: [
    { provider: 'a', model: 'x', weight: 40 },
    { provider: 'b', model: 'y', weight: 30 },
    { provider: 'c', model: 'z', weight: 30 },
  ],
};
