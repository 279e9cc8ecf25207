import { expect, it } from 'vitest';
import { Turns } from '../../src/runtime/engines/turns.ts';

it('turns go to those who asked in their order, and past engines that are no more', () => {
  const turns = new Turns();
  const granted: string[] = [];
  const ask = (key: string, seat: number) => turns.ask(key, seat, () => granted.push(`${key}${seat}`));
  ask('a', 1);
  ask('a', 2);
  ask('a', 1);
  ask('a', 0);
  ask('b', 1);
  ask('b', 2);
  expect(granted).toEqual(['a1', 'b1']);
  turns.over('a', 2);
  expect(granted).toEqual(['a1', 'b1']);
  turns.over('a', 1);
  expect(granted).toEqual(['a1', 'b1', 'a2']);
  turns.leave(1);
  expect(granted).toEqual(['a1', 'b1', 'a2', 'b2']);
  turns.over('a', 2);
  turns.over('a', 0);
  turns.over('b', 2);
  expect(granted).toEqual(['a1', 'b1', 'a2', 'b2', 'a0']);
  ask('a', 3);
  expect(granted.at(-1)).toBe('a3');
});
