import { expect, it } from 'vitest';
import { remembered } from '../../../providers/shared/remembered.ts';

it('asks once for each name, for null too, and keeps no more names than its bound', () => {
  const asked: string[] = [];
  const lengthOf = remembered((name) => {
    asked.push(name);
    return name === '' ? null : name.length;
  });
  expect(['a', 'bb', '', 'a', '', 'bb', '__proto__', '__proto__'].map(lengthOf)).toEqual([
    1,
    2,
    null,
    1,
    null,
    2,
    9,
    9,
  ]);
  expect(asked).toEqual(['a', 'bb', '', '__proto__']);
  for (let index = 0; index < 1_000; index++) lengthOf(`name ${index}`);
  lengthOf('a');
  expect(asked.filter((name) => name === 'a')).toHaveLength(2);
});
