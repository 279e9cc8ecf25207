import { describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../../src/ports/settings.ts';
import { Ahead } from '../../../src/services/batches/ahead.ts';
import { batchRow } from '../../contract/store/subject.ts';

type Deps = ConstructorParameters<typeof Ahead>[0];

/** A store with one large batch that runs, whose input nobody can read; `asked` tells how often it was tried. */
function unreadable() {
  const told = { looked: 0, asked: 0, warned: 0, steadyMs: 0 };
  const deps = {
    clock: { micros: () => told.steadyMs * 1000, now: () => 0, sleep: async () => undefined },
    settings: DEFAULT_SETTINGS,
    random: { bytes: (length: number) => new Uint8Array(length) },
    log: { warn: () => (told.warned += 1) },
    files: {},
    store: {
      batches: {
        settledHeads: async () => {
          told.looked += 1;
          return [{ batch: batchRow('batch_1', { status: 'in_progress', total: 1e6 }), lines: 500_000 }];
        },
      },
      files: {
        getAny: async () => {
          told.asked += 1;
          throw new Error('the disk is away');
        },
      },
    },
  };
  return { told, ahead: new Ahead(deps as unknown as Deps) };
}

describe('a batch that cannot be assembled ahead', () => {
  it('is left to its end, and is tried no more', async () => {
    const { told, ahead } = unreadable();
    for (let looks = 0; looks < 3; looks += 1) {
      ahead.look();
      await new Promise((wake) => setImmediate(wake));
      told.steadyMs += 10_000;
    }
    expect(told).toMatchObject({ looked: 3, asked: 1, warned: 1 });
    expect(await ahead.take('batch_1')).toBeNull();
  });

  it('is looked for once a second, and not after a stop', async () => {
    const { told, ahead } = unreadable();
    for (let looks = 0; looks < 10; looks += 1) {
      ahead.look();
      await new Promise((wake) => setImmediate(wake));
      told.steadyMs += 250;
    }
    expect(told.looked).toBe(3);
    await ahead.stop();
    told.steadyMs += 10_000;
    ahead.look();
    expect(told.looked).toBe(3);
  });
});
