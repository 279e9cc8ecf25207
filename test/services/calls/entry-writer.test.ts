import { afterEach, describe, expect, it } from 'vitest';
import type { StoreLedger } from '../../../src/ports/store-ledger.ts';
import { EntryWriter } from '../../../src/services/calls/entry-writer.ts';
import { entryRow } from '../../contract/store/subject.ts';
import { type Harness, openHarness } from '../../http/harness.ts';

const WHERE = { tenantId: 'tenant-a' };

describe('entries of calls without a journal', () => {
  let harness: Harness;
  afterEach(() => harness.close());

  it('are written once when the answer to their write is lost, and when the write itself is', async () => {
    harness = await openHarness();
    const { store } = harness.deps;
    const losses = ['the write', 'its answer', 'its answer'];
    const appendCalls: StoreLedger['appendCalls'] = async (entries, journal) => {
      const lost = losses.shift();
      if (lost === 'the write') throw new Error('connection reset');
      await store.ledger.appendCalls(entries, journal);
      if (lost === 'its answer') throw new Error('connection reset');
    };
    const ledger = Object.assign(Object.create(store.ledger) as StoreLedger, { appendCalls });
    const writer = new EntryWriter({ ...harness.deps, store: { ...store, ledger } });
    const call = (customId: string) => entryRow({ batchId: null, line: null, mode: 'sync', customId, amountNano: 7 });

    writer.begin();
    await writer.add([call('a'), call('b')]);
    await writer.add([call('c')]);
    writer.end();
    expect(losses).toEqual([]);
    const stored = await store.ledger.entries(WHERE, { limit: 100, order: 'asc' });
    expect(stored?.map(({ customId }) => customId)).toEqual(['a', 'b', 'c']);
    expect(new Set(stored?.map(({ id }) => id)).size).toBe(3);
    const [sums] = await store.ledger.summary(WHERE, [], null);
    expect(sums).toMatchObject({ entries: 3, amountNano: 21n });
  });
});
