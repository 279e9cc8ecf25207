import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openJournals } from '../../../src/files/journal.ts';
import type { Journal, Journals } from '../../../src/ports/journal.ts';
import type { StoreLedger } from '../../../src/ports/store-ledger.ts';
import { EntryWriter } from '../../../src/services/calls/entry-writer.ts';
import { recoverJournals } from '../../../src/services/calls/recover-journals.ts';
import { entryRow } from '../../contract/store/subject.ts';
import { type Harness, openHarness } from '../../http/harness.ts';
import { until } from '../../providers/scripted-server.ts';

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

describe('entries of calls with a journal', () => {
  let harness: Harness;
  let folder: string;
  afterEach(async () => {
    await harness.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('are safe before the database has them; one that the journal refuses waits for it, and none counts twice', async () => {
    harness = await openHarness();
    folder = await mkdtemp(join(tmpdir(), 'weir-journal-'));
    const { store } = harness.deps;
    let letGo = (): void => undefined;
    const database = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const appendCalls: StoreLedger['appendCalls'] = async (...write) => {
      await database;
      await store.ledger.appendCalls(...write);
    };
    const ledger = Object.assign(Object.create(store.ledger) as StoreLedger, { appendCalls });
    const journals = openJournals(folder);
    const refusals = new Set(['c']);
    const sparse: Journals = {
      ...journals,
      open() {
        const journal = journals.open();
        const append: Journal['append'] = (ask) => {
          // What is added in one turn shares a line.
          const line = Promise.resolve().then(ask);
          const isRefused = (text: string) => [...refusals].some((id) => text.includes(`"customId":"${id}"`));
          return line.then((text) =>
            isRefused(text) ? Promise.reject(new Error('ENOSPC')) : journal.append(() => text),
          );
        };
        return { id: journal.id, isCramped: false, append, rotate: () => undefined, close: () => journal.close() };
      },
    };
    const writer = new EntryWriter({ ...harness.deps, store: { ...store, ledger }, journals: sparse });
    const add = (customId: string) =>
      writer.add([entryRow({ batchId: null, line: null, mode: 'sync', customId, amountNano: 7 })]);

    await Promise.all([add('a'), add('b')]);
    let refusedIsSafe = false;
    const refused = add('c').then(() => {
      refusedIsSafe = true;
    });
    await new Promise((turn) => setImmediate(turn));
    await add('d');
    expect(refusedIsSafe).toBe(false);
    const [left] = await journals.leftovers();
    const kept: string[] = [];
    for await (const line of left?.lines() ?? []) kept.push(line);
    const lines = kept.map((line) => (JSON.parse(line) as { customId: string }[]).map(({ customId }) => customId));
    expect(lines).toEqual([['a', 'b'], ['d']]);

    const read = writer.flush();
    letGo();
    await Promise.all([read, refused]);
    // As a start after a kill at this moment does.
    expect(await recoverJournals({ ...harness.deps, journals })).toBe(0);
    const stored = await store.ledger.entries(WHERE, { limit: 100, order: 'asc' });
    expect(stored?.map(({ customId }) => customId).toSorted()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('that can be written nowhere hold up their own calls alone: others are refused before they are sent', async () => {
    harness = await openHarness();
    folder = await mkdtemp(join(tmpdir(), 'weir-journal-'));
    const { store } = harness.deps;
    const full = { disk: true, journal: false };
    let tries = 0;
    const appendCalls: StoreLedger['appendCalls'] = async (...write) => {
      tries += 1;
      if (full.disk) throw new Error('SQLITE_FULL');
      await store.ledger.appendCalls(...write);
    };
    const ledger = Object.assign(Object.create(store.ledger) as StoreLedger, { appendCalls });
    const journals = openJournals(folder);
    const sparse: Journals = {
      ...journals,
      open() {
        const journal = journals.open();
        const append: Journal['append'] = (ask) =>
          full.journal ? Promise.reject(new Error('ENOSPC')) : journal.append(ask);
        return {
          id: journal.id,
          isCramped: false,
          append,
          rotate: () => journal.rotate(),
          close: () => journal.close(),
        };
      },
    };
    const writer = new EntryWriter({ ...harness.deps, store: { ...store, ledger }, journals: sparse });
    const call = (customId: string) => {
      writer.begin();
      return writer.add([entryRow({ batchId: null, line: null, mode: 'sync', customId, amountNano: 7 })]);
    };
    await call('a');
    await until(() => tries >= 1);
    // The journal keeps it: that is enough for the next one.
    await call('b');
    full.journal = true;
    const held = call('c');
    const before = tries;
    await until(() => tries > before);
    expect(() => writer.begin()).toThrow('The ledger cannot be written at the moment');
    full.disk = false;
    await held;
    await call('d');
    await writer.flush();
    const stored = await store.ledger.entries(WHERE, { limit: 100, order: 'asc' });
    expect(stored?.map(({ customId }) => customId).toSorted()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('come to the database in one write, also those that a flush finds on their way into the journal', async () => {
    harness = await openHarness();
    folder = await mkdtemp(join(tmpdir(), 'weir-journal-'));
    const writer = new EntryWriter({ ...harness.deps, journals: openJournals(folder) });
    const call = (customId: string, status: 'succeeded' | 'failed') =>
      entryRow({ batchId: null, line: null, mode: 'sync', customId, status, amountNano: 7 });
    for (let index = 0; index < 40; index++) {
      void writer.add([call(`call-${index}`, index % 3 === 0 ? 'failed' : 'succeeded')]);
    }
    await writer.flush();
    const stored = await harness.deps.store.ledger.entries(WHERE, { limit: 100, order: 'asc' });
    expect(new Set(stored?.map(({ customId }) => customId)).size).toBe(40);
    expect(stored?.filter(({ status }) => status === 'failed')).toHaveLength(14);
    const [sums] = await harness.deps.store.ledger.summary(WHERE, [], null);
    expect(sums).toMatchObject({ entries: 40, amountNano: 280n });
    await writer.close(1_000);
    expect(await openJournals(folder).leftovers()).toEqual([]);
  });
});
