import { expect } from 'vitest';
import type { AllowanceAsk } from '../../../src/core/budget-allowance.ts';
import type { Store } from '../../../src/ports/store.ts';
import type { BatchRow } from '../../../src/ports/store-batches.ts';
import type { HoldAsk } from '../../../src/ports/store-budgets.ts';
import { batchRow, claim, emptyCommit, entryRow, NOW, partRow, segmentRow, startBatch } from './subject.ts';

/** Whom the budgets of these tests cover. */
export const spender = { tenantId: 'tenant-a', keyId: 'key_1', tags: { team: 'search' }, routes: ['mini'] };

/** What it asks for: to hold so much for a batch or a call. */
export function hold(holder: string, amountNano: number): HoldAsk {
  return { ...spender, holder, amountNano };
}

/** Adds a batch that holds so much; null when it is refused. */
export function create(store: Store, id: string, amountNano: number, change: Partial<BatchRow> = {}) {
  const row = batchRow(id, { keyId: 'key_1', ...change });
  return store.batches.insertWithin(row, { liveMax: null, hold: hold(id, amountNano) });
}

/** A running batch of one segment, and a commit of entries under its lease. */
export async function running(store: Store, id: string, amountNano: number, token = 'worker') {
  await create(store, id, amountNano);
  await startBatch(store, id, [segmentRow(id, 0)]);
  const leases = await claim(store, { token });
  let line = 0;
  let commits = 0;
  const nothing = { taker: token, underWayNano: 0, keptNano: 0, wishedNano: 0 };
  return async (ask: Partial<AllowanceAsk>, ...amounts: (number | null)[]) => {
    const entries = amounts.map((amountNano) => entryRow({ batchId: id, line: ++line, amountNano }));
    const outcome = await store.segments.commit(
      emptyCommit(leases, {
        part: partRow(`${id}-${commits++}`, { batchId: id }),
        entries,
        allowance: { ...nothing, ...ask },
      }),
    );
    if (!outcome.ok) throw new Error('the lease is lost');
    return outcome.control;
  };
}

/** What a batch may still spend by its budgets, exactly; null when nothing bounds it. */
export async function expectLeft(store: Store, batchId: string, nano: number | null): Promise<void> {
  const ask = (boundNano: number) => store.budgets.holdShard({ id: 'probe', batchId, boundNano }, NOW);
  if (nano !== null) expect(await ask(nano + 1)).not.toBe('fits');
  expect(await ask(nano ?? Number.MAX_SAFE_INTEGER)).toBe('fits');
}
