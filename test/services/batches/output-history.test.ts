import { expect, it } from 'vitest';
import type { Deps } from '../../../src/ports/deps.ts';
import { recentHistory } from '../../../src/services/batches/output-history.ts';

const NOW = 1_700_000_000;
const DAY = NOW - (NOW % 86_400);

/** A store whose ledger has so many answers of each target; counts how often it is asked. */
function ledgerOf(answers: { count: number }) {
  const asked = { count: 0 };
  const ledger = {
    summary: async () => {
      asked.count += 1;
      return [{ group: { day: DAY }, entries: answers.count, outputTokens: answers.count * 7 }];
    },
    latestOutputTokens: async () => Array.from({ length: answers.count }, () => 7),
  };
  return { deps: { store: { ledger } } as unknown as Pick<Deps, 'store'>, asked };
}

it('the history of a target is asked for once in ten seconds, by each tenant, where there is one', async () => {
  const answers = { count: 5 };
  const { deps, asked } = ledgerOf(answers);
  const target = { provider: 'pool', model: 'llama' };
  expect(await recentHistory(deps, 'one', target, NOW)).toBeNull();
  answers.count = 50;
  const found = await recentHistory(deps, 'one', target, NOW);
  expect(found).toEqual({ low: 7, expected: 7, high: 7 });
  expect(await recentHistory(deps, 'one', target, NOW + 9)).toBe(found);
  expect(asked.count).toBe(2);
  await recentHistory(deps, 'two', target, NOW);
  await recentHistory(deps, 'one', { ...target, model: 'other' }, NOW);
  expect(asked.count).toBe(4);
  await recentHistory(deps, 'one', target, NOW + 10);
  expect(asked.count).toBe(5);
});
