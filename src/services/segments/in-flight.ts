import { type Clock, steadyMs } from '../../ports/clock.ts';
import type { BusyTime, InFlight } from '../../ports/in-flight.ts';

const NONE: ReadonlyMap<string, number> = new Map();

interface Flow {
  targets: Map<string, number>;
  count: number;
  /** Line-milliseconds up to `at`, since `from`; monotonic milliseconds both. */
  busyMs: number;
  from: number;
  at: number;
}

/** Counts lines in flight. A batch with none takes no room, once its busy time is taken. */
export function createInFlight(clock: Clock): InFlight {
  const batches = new Map<string, Flow>();
  const upToNow = (flow: Flow): Flow => {
    const now = steadyMs(clock);
    flow.busyMs += flow.count * (now - flow.at);
    flow.at = now;
    return flow;
  };
  const busy = (batchId: string): BusyTime | null => {
    const flow = batches.get(batchId);
    if (flow === undefined) return null;
    const { busyMs, from, at } = upToNow(flow);
    const until = Math.round(clock.now());
    return { busyMs: Math.round(busyMs), busyFrom: Math.round(until - (at - from)), busyUntil: until };
  };
  return {
    begin(batchId, target) {
      let flow = batches.get(batchId);
      if (flow === undefined) {
        const now = steadyMs(clock);
        flow = { targets: new Map(), count: 0, busyMs: 0, from: now, at: now };
        batches.set(batchId, flow);
      }
      upToNow(flow).count += 1;
      flow.targets.set(target, (flow.targets.get(target) ?? 0) + 1);
    },
    end(batchId, target) {
      const flow = batches.get(batchId);
      if (flow === undefined) return;
      upToNow(flow).count -= 1;
      const left = (flow.targets.get(target) ?? 0) - 1;
      if (left > 0) flow.targets.set(target, left);
      else flow.targets.delete(target);
    },
    batches: () => [...batches.keys()],
    of: (batchId) => batches.get(batchId)?.targets ?? NONE,
    busy(batchId) {
      const own = busy(batchId);
      return own === null ? [] : [own];
    },
    takeBusy(batchId) {
      const taken = busy(batchId);
      const flow = batches.get(batchId);
      if (flow === undefined) return null;
      if (flow.count === 0) batches.delete(batchId);
      flow.busyMs = 0;
      flow.from = flow.at;
      return taken;
    },
  };
}
