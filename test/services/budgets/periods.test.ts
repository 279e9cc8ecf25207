/** The periods of budgets where days are longer or shorter: real functions on a real database, with a clock that runs on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../providers/sandbox/servers/random.ts';
import { periodAt } from '../../../src/core/budget-period.ts';
import type { Store } from '../../../src/ports/store.ts';
import { addPeriods } from '../../../src/services/budgets/periods.ts';
import { type LentDatabase, lendDatabase } from '../../contract/lent-database.ts';
import { budgetRow } from '../../contract/store/budget-rows.ts';
import { entryRow } from '../../contract/store/subject.ts';

const HOUR = 3_600;
const at = (text: string): number => Date.parse(text) / 1000;

describe('the periods of budgets', () => {
  let database: LentDatabase;
  let store: Store;
  let line = 0;
  beforeAll(async () => {
    database = await lendDatabase();
    store = await database.openStore();
  });
  afterAll(async () => {
    await store.close();
    database.giveBack();
  });

  it.each([
    // Days of 23 and 25 hours, on both sides of the equator; of 23.5 and 24.5; of 22 and 26.
    ['day', 'Europe/Berlin', '2026-03-27T12:00:00Z', [24, 24, 23, 24]],
    ['day', 'Europe/Berlin', '2026-10-23T12:00:00Z', [24, 24, 25, 24]],
    ['day', 'America/New_York', '2026-11-01T02:00:00Z', [24, 25, 24]],
    ['day', 'Australia/Lord_Howe', '2026-04-03T20:00:00Z', [24, 24.5, 24]],
    ['day', 'Australia/Lord_Howe', '2026-10-02T20:00:00Z', [24, 23.5, 24]],
    ['day', 'Antarctica/Troll', '2026-03-28T06:00:00Z', [24, 22, 24]],
    // No midnight; and one that the clock comes back to.
    ['day', 'Asia/Beirut', '2026-03-27T12:00:00Z', [24, 24, 23]],
    ['day', 'America/Havana', '2026-10-31T12:00:00Z', [24, 25, 24]],
    ['day', 'Asia/Kolkata', '2028-02-28T12:00:00Z', [24, 24, 24]],
    ['week', 'Europe/Berlin', '2026-03-25T12:00:00Z', [7 * 24 - 1, 7 * 24]],
    ['week', 'Europe/Berlin', '2026-10-21T12:00:00Z', [7 * 24 + 1, 7 * 24]],
    // A leap February between two of 31, a month with a change of the clock, and the end of a year.
    ['month', 'Asia/Kolkata', '2028-01-31T12:00:00Z', [31 * 24, 29 * 24]],
    ['month', 'Europe/Berlin', '2026-10-30T12:00:00Z', [31 * 24 + 1, 30 * 24]],
    ['month', 'America/St_Johns', '2026-12-31T12:00:00Z', [31 * 24, 31 * 24]],
  ] as const)(
    'a %s in %s from %s on: each entry counts in one of them, also of those before a budget',
    async (period, timeZone, text, hours) => {
      const from = at(text);
      const random = seededRandom(from);
      const since = { period, timeZone, tenantId: `tenant-${line}` };
      const early = budgetRow(`early-${line}`, since);
      const first = periodAt(period, timeZone, from, 0);
      await store.budgets.insert(early, first);
      const chain = [first];
      while (chain.length < hours.length) chain.push(periodAt(period, timeZone, chain.at(-1)?.endsAt ?? 0, 0));
      expect(chain.map(({ startsAt, endsAt }) => (endsAt - startsAt) / HOUR)).toEqual(hours);

      const end = chain.at(-1)?.endsAt ?? 0;
      const edges = chain.flatMap(({ startsAt, endsAt }) => [startsAt, endsAt - 1]);
      const others = Array.from({ length: 40 }, () => first.startsAt + Math.floor(random() * (end - first.startsAt)));
      const times = [...edges, ...others].sort((a, b) => a - b);
      const spent = new Map<number, bigint>(chain.map(({ startsAt }) => [startsAt, 0n]));
      let now = from;
      for (const createdAt of times) {
        // Rounds come now and then; an entry may be written a moment before the round of its time.
        for (; now < createdAt; now += Math.ceil(random() * 5 * HOUR)) await addPeriods({ store }, now);
        const amountNano = 1 + Math.floor(random() * 1_000);
        line += 1;
        await store.ledger.append([entryRow({ line, amountNano, createdAt, tenantId: since.tenantId })]);
        const { startsAt } = periodAt(period, timeZone, createdAt, 0);
        spent.set(startsAt, (spent.get(startsAt) ?? 0n) + BigInt(amountNano));
      }
      expect([...spent.keys()]).toEqual(chain.map(({ startsAt }) => startsAt));

      for (const { startsAt, endsAt } of chain) {
        // A budget that is made at the end of the period finds in the ledger what the other has counted.
        const late = budgetRow(`late-${line}-${startsAt}`, since);
        await store.budgets.insert(late, { startsAt, endsAt });
        for (const when of [startsAt, endsAt - 1]) {
          for (const { id } of [early, late]) {
            const usage = (await store.budgets.get(id, when))?.usage;
            expect(usage, `${id} at ${when}`).toMatchObject({ startsAt, endsAt, spentNano: spent.get(startsAt) });
          }
        }
      }
    },
  );
});
