import { describe, expect, it } from 'vitest';
import { Turns } from '../../../src/services/shards/turns.ts';

const settings = { maxShardSteps: 8, shardStepsPerSecond: 4 };

describe('turns of providers', () => {
  it('leave a place for others when one provider has all its places taken', () => {
    const turns = new Turns(settings, 2);
    for (let step = 0; step < 4; step++) turns.begin('slow', 0);
    expect(turns.open(60_000)).toEqual({ exclude: ['slow'], each: 4 });
    turns.end('slow');
    expect(turns.open(60_000)).toEqual({ exclude: [], each: 1 });
  });

  it('give each provider so many steps a second, and none for the time that it had nothing to do', () => {
    const turns = new Turns(settings, 1);
    const begun: number[] = [];
    for (let ms = 100_000; ms < 110_000; ms += 50) {
      const { exclude } = turns.open(ms);
      if (exclude.includes('busy')) continue;
      turns.begin('busy', ms);
      turns.end('busy');
      begun.push(ms);
    }
    for (const from of begun)
      expect(begun.filter((ms) => ms >= from && ms < from + 1_000).length).toBeLessThanOrEqual(8);
    expect(begun.length).toBeGreaterThanOrEqual(40);
    expect(begun.length).toBeLessThanOrEqual(44);
  });

  it('gain nothing by a clock that goes back', () => {
    const turns = new Turns(settings, 1);
    for (let step = 0; step < 4; step++) {
      turns.begin('busy', 10_000);
      turns.end('busy');
    }
    expect(turns.open(0).exclude).toEqual(['busy']);
    expect(turns.open(900).exclude).toEqual([]);
  });

  it('have two places at least for each provider, and never more than there are', () => {
    expect(new Turns(settings, 20).open(0).each).toBe(2);
    expect(new Turns({ ...settings, maxShardSteps: 1 }, 20).open(0).each).toBe(1);
  });
});
