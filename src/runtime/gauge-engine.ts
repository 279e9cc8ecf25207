import type { Metric, Metrics } from '../ports/metrics.ts';
import type { Engine } from '../services/segments/engine.ts';

const labels = ['provider'];
const inFlight: Metric = { name: 'weir_requests_in_flight', help: 'Requests sent and not answered yet.', labels };
const waiting: Metric = { name: 'weir_requests_waiting', help: 'Requests that wait to be sent again.', labels };
const limit: Metric = { name: 'weir_concurrency_limit', help: 'Requests that may be in flight.', labels };
const reachable: Metric = { name: 'weir_provider_reachable', help: 'Whether a member answers: 1 or 0.', labels };

/** Gauges of the engine's gates, read when the metrics are. */
export function gaugeEngine(engine: Engine, metrics: Metrics): void {
  metrics.onRender(async () => {
    for (const gate of engine.snapshot()) {
      const { provider } = gate;
      metrics.set(inFlight, { provider }, gate.inFlight);
      metrics.set(waiting, { provider }, gate.waiting);
      metrics.set(limit, { provider }, gate.limit);
      metrics.set(reachable, { provider }, gate.unreachable ? 0 : 1);
    }
  });
}
