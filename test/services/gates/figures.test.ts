import { expect, it } from 'vitest';
import { refusal } from '../../../src/core/failure.ts';
import { figuresOf } from '../../../src/services/gates/figures.ts';
import { MemberSlot, Pool } from '../../../src/services/gates/pool.ts';

it('tells of a server both that its health check fails and what its requests ran into', () => {
  const pool = new Pool(
    { name: 'p', immediate: { members: ['http://a/v1'] } as never, limits: {} as never },
    8,
    900_000,
  );
  const [member] = pool.members;
  if (member === undefined) throw new Error('no member');
  const reason = () => figuresOf(member, 8, 0).healthReason;
  expect(reason()).toBeNull();
  for (const at of [0, 1]) member.health.checked(false, at);
  expect(reason()).toBe('its health check fails');
  const failure = refusal('connection', 'connection_error', 'p: no connection (ENOTFOUND).');
  for (let count = 0; count < 10; count++) {
    const slot = new MemberSlot(member, 0);
    pool.settle(slot, failure, { model: 'm', input: 0, output: 0 }, { nowMs: 0, lateMs: 0, unit: 0.5 });
  }
  expect(reason()).toBe('its health check fails, its requests fail (no connection (ENOTFOUND))');
  for (const at of [2, 3]) member.health.checked(true, at);
  expect(reason()).toBe('its requests fail (no connection (ENOTFOUND))');
});
