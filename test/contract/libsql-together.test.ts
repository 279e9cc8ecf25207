import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database, Statement } from '../../src/store/client.ts';
import { openDatabase } from '../../src/store/open-node.ts';
import { openStoreOn } from '../../src/store/store.ts';

describe('writes of an embedded database that come together', () => {
  let directory: string;
  let database: Database;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'weir-together-'));
    database = await openDatabase({ url: `file:${join(directory, 'weir.db')}` });
    await openStoreOn(database);
    await database.write([{ sql: 'create table notes (n integer primary key, text text not null)', args: [] }]);
  });
  afterEach(async () => {
    await database.close();
    await rm(directory, { recursive: true, force: true });
  });

  const add = (n: number, text: string | null = `note ${n}`): Statement => ({
    sql: 'insert into notes (n, text) values (?, ?) returning n',
    args: [n, text],
  });
  const stored = async (): Promise<number[]> =>
    (await database.read({ sql: 'select n from notes order by n', args: [] })).map((row) => Number(row.n));

  it('happen each as a whole or not at all, in their order', async () => {
    const never = { sql: 'exists (select 1 from notes where n = ?)', args: [-1] };
    const seen = { sql: 'exists (select 1 from notes where n = ?)', args: [3] };
    const outcomes = await Promise.allSettled([
      database.write([add(1)]),
      database.write([add(2), add(2)]),
      database.write([add(3), add(4)]),
      database.writeIf(never, [add(5)]),
      database.write([add(6), add(7, null)]),
      database.writeIf(seen, [add(8)]),
      database.write([{ sql: 'insert into nowhere values (1)', args: [] }]),
      database.write([add(9)]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : null))).toMatchObject([
      [{ rows: [{ n: 1 }] }],
      null,
      [{ rows: [{ n: 3 }] }, { rows: [{ n: 4 }] }],
      null,
      null,
      [{ rows: [{ n: 8 }] }],
      null,
      [{ rows: [{ n: 9 }] }],
    ]);
    expect(await stored()).toEqual([1, 3, 4, 8, 9]);
  });

  it('are those that were asked for, also after one that cannot be sent to the thread', async () => {
    const unsendable = (sql: string): Statement => ({ sql, args: [(() => undefined) as never] });
    await expect(database.write([unsendable('delete from notes where n = ?')])).rejects.toThrow('could not be cloned');
    await database.write([add(1), add(2)]);
    await database.write([{ sql: 'delete from notes where n = ?', args: [2] }]);
    const asked = 'select text from notes where n = ?';
    await expect(database.read(unsendable(asked))).rejects.toThrow('could not be cloned');
    expect(await database.read({ sql: asked, args: [1] })).toMatchObject([{ text: 'note 1' }]);
    expect(await stored()).toEqual([1]);
  });

  it('are all there once they were answered, hundreds of them, the small ones beside large ones', async () => {
    const large = 'x'.repeat(200_000);
    const numbers = Array.from({ length: 300 }, (_, index) => index + 1);
    const writes = numbers.map((n) => database.write([add(n, n % 50 === 0 ? large : `note ${n}`)]));
    await Promise.all(writes.slice(0, 40));
    expect((await stored()).slice(0, 40)).toEqual(numbers.slice(0, 40));
    await Promise.all(writes);
    const closing = database.write([add(301)]);
    await database.close();
    await closing;
    database = await openDatabase({ url: `file:${join(directory, 'weir.db')}` });
    expect(await stored()).toEqual([...numbers, 301]);
  });

  it('wait for another process that writes, and fail in none of them for it', async () => {
    const other = await openDatabase({ url: `file:${join(directory, 'weir.db')}` });
    try {
      const numbers = Array.from({ length: 120 }, (_, index) => index + 1);
      await Promise.all(numbers.map((n) => (n % 2 === 0 ? database : other).write([add(n)])));
      expect(await stored()).toEqual(numbers);
    } finally {
      await other.close();
    }
  });

  it('are not the only ones: reads that come together each succeed or fail by themselves', async () => {
    await database.write([add(1), add(2)]);
    const read = (sql: string) => database.read({ sql, args: [] });
    const [first, broken, second] = await Promise.allSettled([
      read('select text from notes where n = 1'),
      read('select text from nowhere'),
      read('select text from notes where n = 2'),
    ]);
    expect(first).toMatchObject({ status: 'fulfilled', value: [{ text: 'note 1' }] });
    expect(broken).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('nowhere') } });
    expect(second).toMatchObject({ status: 'fulfilled', value: [{ text: 'note 2' }] });
  });

  it('keep their texts apart, however many different ones there were', async () => {
    await database.write([add(1)]);
    const ask = async (n: number): Promise<unknown> => {
      const [row] = await database.read({ sql: `select ${n} as wanted, n from notes`, args: [] });
      return row?.wanted;
    };
    const numbers = Array.from({ length: 1_100 }, (_, n) => n);
    expect(await Promise.all(numbers.map(ask))).toEqual(numbers);
    expect(await Promise.all([0, 1_099, 600, 3].map(ask))).toEqual([0, 1_099, 600, 3]);
    for (const n of numbers)
      await database.write([{ sql: `update notes set text = text || ? where n = ${n}`, args: ['.'] }]);
    await database.write([add(2)]);
    expect(await stored()).toEqual([1, 2]);
  });
});
