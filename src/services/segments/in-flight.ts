import type { InFlight } from '../../ports/in-flight.ts';

const NONE: ReadonlyMap<string, number> = new Map();

/** Counts lines in flight. A batch with none takes no room. */
export function createInFlight(): InFlight {
  const batches = new Map<string, Map<string, number>>();
  return {
    begin(batchId, target) {
      let targets = batches.get(batchId);
      if (targets === undefined) {
        targets = new Map();
        batches.set(batchId, targets);
      }
      targets.set(target, (targets.get(target) ?? 0) + 1);
    },
    end(batchId, target) {
      const targets = batches.get(batchId);
      const left = (targets?.get(target) ?? 0) - 1;
      if (left > 0) targets?.set(target, left);
      else targets?.delete(target);
      if (targets?.size === 0) batches.delete(batchId);
    },
    of: (batchId) => batches.get(batchId) ?? NONE,
  };
}
