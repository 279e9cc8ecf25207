import { describe, expect, it } from 'vitest';
import { LeasedWork } from '../../src/services/leased-work.ts';

const done = (): Promise<void> => Promise.resolve();

describe('leased work', () => {
  it('may be begun again by a claim that comes with the giving back, however early', async () => {
    const work = new LeasedWork();
    const log: string[] = [];
    const again = (): void =>
      work.begin(
        'a',
        async () => void log.push('second'),
        async () => void log.push('second back'),
      );
    work.begin(
      'a',
      async () => void log.push('first'),
      () => {
        // A database that makes both writes durable together tells the claim of it as early as this.
        again();
        return done();
      },
    );
    await work.idle();
    expect(log).toEqual(['first', 'second', 'second back']);
  });

  it('goes on under a lease that is claimed while it runs, and is counted and waited for once', async () => {
    const work = new LeasedWork();
    const runs: string[] = [];
    let end = (): void => undefined;
    work.begin('a', () => new Promise<void>((resolve) => (end = resolve)), done);
    work.begin('a', async () => void runs.push('another'), done);
    expect([work.size, work.ids]).toEqual([1, ['a']]);
    const idle = work.idle();
    end();
    await idle;
    expect([work.size, runs]).toEqual([0, []]);
  });

  it('is idle only when the last lease is given back, and tells that what the work came to', async () => {
    const work = new LeasedWork();
    let given: number | null = null;
    let giveBack = (): void => undefined;
    const back = new Promise<void>((resolve) => (giveBack = resolve));
    work.begin(
      'a',
      async () => 7,
      async (outcome) => {
        await back;
        given = outcome;
      },
    );
    const idle = work.idle();
    setImmediate(giveBack);
    await idle;
    expect(given).toBe(7);
  });
});
