import { expect, it } from 'vitest';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { Api } from '../../src/runtime/cli/api.ts';
import { besideStill } from '../../src/runtime/cli/held-targets.ts';

it('says of a batch that stands still which of its targets take no lines, and why', async () => {
  let now = 0;
  const held = (state: string, message: string) => ({ state, message });
  const data = [
    { target: 'a/m', held: held('held', 'Incorrect key.') },
    { target: 'b/m', held: held('unreachable', 'its requests fail (no connection)') },
    { target: 'c/m', held: held('given_up', 'No money.') },
    { target: 'd/m', held: null },
  ];
  const beside = besideStill({ get: () => Promise.resolve({ data }) } as unknown as Api, () => now);
  const batch = { id: 'batch_1', status: 'in_progress', request_counts: { completed: 1, failed: 0 } } as BatchObject;
  expect((await beside(batch, 80)).lines).toEqual([]);
  now = 2_000;
  expect((await beside(batch, 80)).lines).toEqual([
    'a/m refuses the account, and lines wait: Incorrect key.',
    'b/m serves nothing now, and lines wait: its requests fail (no connection)',
  ]);
});
