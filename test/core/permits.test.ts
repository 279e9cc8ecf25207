import { describe, expect, it } from 'vitest';
import { Permits } from '../../src/core/permits.ts';

describe('permits', () => {
  it('let so many run at once, and the others in their order, also after one that fails', async () => {
    const permits = new Permits(2);
    const ends: PromiseWithResolvers<number>[] = [];
    const begun: number[] = [];
    const runs = [0, 1, 2, 3, 4].map((number) => {
      const end = Promise.withResolvers<number>();
      ends.push(end);
      return permits.with(() => {
        begun.push(number);
        return end.promise;
      });
    });
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    await turn();
    expect(begun).toEqual([0, 1]);
    ends[1]?.reject(new Error('no'));
    await expect(runs[1]).rejects.toThrow('no');
    await turn();
    expect(begun).toEqual([0, 1, 2]);
    for (const [number, { resolve }] of ends.entries()) resolve(number);
    expect((await Promise.allSettled(runs)).map(({ status }) => status === 'fulfilled')).toEqual([
      true,
      false,
      true,
      true,
      true,
    ]);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
    expect(await permits.with(async () => 'free')).toBe('free');
  });
});
