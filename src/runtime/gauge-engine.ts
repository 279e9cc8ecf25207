import type { GateFigures, Gates, HeldTarget, MemberFigures } from '../ports/gates.ts';
import type { Metric, Metrics } from '../ports/metrics.ts';
import type { LineEngine } from './loop.ts';

const ofProvider = (name: string, help: string): Metric => ({ name, help, labels: ['provider'] });
const ofMember = (name: string, help: string): Metric => ({ name, help, labels: ['provider', 'member'] });

const waiting = ofProvider('weir_requests_waiting', 'Requests that wait to be sent again.');

const PROVIDER: readonly [Metric, (figures: GateFigures) => number][] = [
  [ofProvider('weir_requests_in_flight', 'Requests sent and not answered yet.'), (figures) => figures.inFlight],
  [ofProvider('weir_concurrency_limit', 'Requests that may be in flight.'), (figures) => limitOf(figures)],
  [ofProvider('weir_calls_waiting', 'Synchronous calls that wait for room.'), (figures) => figures.callsWaiting],
  [
    ofProvider('weir_batch_open', 'Whether batch lines may be sent, by the hours of the provider: 1 or 0.'),
    (figures) => (figures.batchOpen ? 1 : 0),
  ],
  [
    ofProvider('weir_targets_held', 'Models whose batch lines wait because the account is refused.'),
    (figures) => heldIn(figures, 'held'),
  ],
  [
    ofProvider('weir_targets_given_up', 'Models whose batch lines fail because the account is refused for too long.'),
    (figures) => heldIn(figures, 'given_up'),
  ],
];

const MEMBER: readonly [Metric, (member: MemberFigures) => number | null][] = [
  [ofMember('weir_member_concurrency_limit', 'Requests that it was found to be able to take.'), ({ limit }) => limit],
  [ofMember('weir_member_in_flight', 'Requests sent and not answered yet.'), ({ inFlight }) => inFlight],
  [ofMember('weir_member_latency_ms', 'Mean latency of the last answers.'), ({ latencyMs }) => latencyMs],
  [ofMember('weir_member_answered', 'Requests answered since the start.'), ({ answered }) => answered],
  [ofMember('weir_member_failed', 'Requests failed since the start.'), ({ failed }) => failed],
  [ofMember('weir_member_up', 'Whether it is in use: 1 or 0.'), (member) => (isUp(member) ? 1 : 0)],
  [ofMember('weir_member_running', 'Requests running there, by its own metrics.'), ({ load }) => load?.running ?? null],
  [ofMember('weir_member_waiting', 'Requests waiting there, by its own metrics.'), ({ load }) => load?.waiting ?? null],
  [ofMember('weir_member_cache_usage', 'Share of its key-value cache in use.'), ({ load }) => load?.cacheUsage ?? null],
  [
    ofMember('weir_member_prefix_hit_rate', 'Share of prompt tokens found in its prefix cache.'),
    ({ load }) => load?.prefixHitRate ?? null,
  ],
];
const reachable = ofProvider('weir_provider_reachable', 'Whether a member answers: 1 or 0.');

/** Gauges of the gates and of the lines that wait at them, read when the metrics are. */
export function gaugeEngine(engine: Pick<LineEngine, 'snapshot'>, gates: Gates, metrics: Metrics): void {
  metrics.onRender(async () => {
    for (const { provider, waiting: lines } of engine.snapshot()) metrics.set(waiting, { provider }, lines);
    for (const [provider, gate] of gates) {
      const figures = gate.figures();
      for (const [metric, read] of PROVIDER) metrics.set(metric, { provider }, read(figures));
      metrics.set(reachable, { provider }, figures.unreachable === null ? 1 : 0);
      for (const member of figures.members) {
        for (const [metric, read] of MEMBER) {
          const value = read(member);
          if (value !== null) metrics.set(metric, { provider, member: member.name }, value);
        }
      }
    }
  });
}

function limitOf({ limit, members }: GateFigures): number {
  return Math.min(
    limit,
    members.reduce((sum, member) => sum + member.limit, 0),
  );
}

function heldIn({ held }: GateFigures, state: HeldTarget['state']): number {
  return held.filter((target) => target.state === state).length;
}

function isUp({ breaker, health }: MemberFigures): boolean {
  return breaker === 'closed' && health !== 'unhealthy' && health !== 'wrong_model';
}
