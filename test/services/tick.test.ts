import { expect, it } from 'vitest';
import type { Deps } from '../../src/ports/deps.ts';
import type { BatchRunner } from '../../src/services/batches/run.ts';
import { tick } from '../../src/services/tick.ts';

it('what time brings is looked for once a second, however often there is a round; batches each time', async () => {
  const counts = { recover: 0, expired: 0, woken: 0 };
  let nowMs = 1_700_000_000_000;
  let expired: string[] = [];
  const recover = async () => {
    counts.recover += 1;
    return 0;
  };
  const store = {
    segments: { recover },
    shards: { recover, hasten: async () => undefined },
    batches: {
      stopExpired: async () => {
        counts.expired += 1;
        return expired;
      },
    },
    budgets: { any: async () => false },
  };
  const deps = { store, clock: { now: () => nowMs } } as unknown as Deps;
  const batches = { wake: async () => ++counts.woken } as unknown as BatchRunner;
  for (const ms of [0, 300, 300, 300]) {
    nowMs += ms;
    expect(await tick(deps, batches)).toEqual({ batches: counts.woken, changed: false });
  }
  expect(counts).toEqual({ recover: 2, expired: 1, woken: 4 });
  nowMs += 100;
  expired = ['batch_1'];
  expect((await tick(deps, batches)).changed).toBe(true);
  expect(counts).toEqual({ recover: 4, expired: 2, woken: 5 });
  // More than one round takes are gone on with at once.
  nowMs += 1_000;
  expired = Array.from({ length: 100 }, (_, index) => `batch_${index}`);
  await tick(deps, batches);
  await tick(deps, batches);
  expect(counts.expired).toBe(4);
});
