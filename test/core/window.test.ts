import { describe, expect, it } from 'vitest';
import { windowSeconds } from '../../src/core/window.ts';

describe('windowSeconds', () => {
  it.each([
    ['immediate', 7],
    ['24h', 86_400],
    ['90m', 5_400],
    ['2d', 172_800],
    ['30d', 2_592_000],
  ])('reads %s', (text, seconds) => {
    expect(windowSeconds(text, 7)).toBe(seconds);
  });

  it.each(['', '0h', '31d', '24', 'h', '1.5h', '-1h', '24H', '24h ', '1e3m', '９h', 'Immediate'])(
    'refuses %j',
    (text) => {
      expect(windowSeconds(text, 7)).toBeNull();
    },
  );
});
