import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '@libsql/client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { getTableConfig, is, SQLiteTable } from '#drizzle';
import type { Store } from '../../src/ports/store.ts';
import { Database, isConstraintFailure } from '../../src/store/client.ts';
import { migrate } from '../../src/store/migrate.ts';
import { MIGRATIONS } from '../../src/store/migrations/index.ts';
import { openDatabase, openStore } from '../../src/store/open-node.ts';
import { openStore as openWebStore } from '../../src/store/open-web.ts';
import { fromLibsql } from '../../src/store/sql-client.ts';
import { fileRow, NOW } from './store/subject.ts';
import { TABLES } from './store/tables.ts';

let directory: string;
let url: string;
let closers: (() => unknown)[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-schema-'));
  url = `file:${join(directory, 'weir.db')}`;
  closers = [];
});

afterEach(async () => {
  for (const close of closers) await close();
  await rm(directory, { recursive: true });
});

function connect(options: { timeout?: number } = {}): Client {
  const client = createClient({ url, ...options });
  closers.push(() => client.close());
  return client;
}

async function open(): Promise<Store> {
  const store = await openStore({ url });
  closers.push(() => store.close());
  return store;
}

it('the migrated database has the tables of the schema, column by column, and no others', async () => {
  await open();
  const client = connect();
  const found = await client.execute(
    `select name from sqlite_master where type = 'table' and name not like 'sqlite_%'`,
  );
  expect(found.rows.map((row) => row.name).toSorted()).toEqual(
    TABLES.map((table) => getTableConfig(table).name).toSorted(),
  );
  for (const table of TABLES) {
    const { name, columns, primaryKeys } = getTableConfig(table);
    const keyed = new Set(primaryKeys.flatMap((key) => key.columns.map((column) => column.name)));
    const info = await client.execute(`select name, type, "notnull", pk from pragma_table_info('${name}')`);
    const migrated = info.rows.map((row) => ({
      name: row.name,
      type: String(row.type).toLowerCase(),
      // SQLite says nothing of it for an integer primary key, which is never null.
      notNull: row.notnull === 1 || (row.pk === 1 && /^integer$/i.test(String(row.type))),
      primary: Number(row.pk) > 0,
    }));
    const declared = columns.map((column) => ({
      name: column.name,
      type: column.getSQLType(),
      notNull: column.notNull,
      primary: column.primary || keyed.has(column.name),
    }));
    expect(migrated, name).toEqual(declared);
  }
});

it('the migrated database has the indexes of the schema, and no others', async () => {
  await open();
  const client = connect();
  for (const table of TABLES) {
    const { name, indexes, primaryKeys } = getTableConfig(table);
    const list = await client.execute(`select name, "unique", partial, origin from pragma_index_list('${name}')`);
    const columnsOf = async (index: unknown) =>
      (await client.execute(`select name from pragma_index_info('${index}')`)).rows.map((row) => row.name);
    const migrated = new Map<unknown, unknown>();
    for (const row of list.rows) {
      const columns = await columnsOf(row.name);
      if (row.origin === 'c') migrated.set(row.name, { columns, unique: row.unique === 1, partial: row.partial === 1 });
      else if (primaryKeys[0]) expect(columns).toEqual(primaryKeys[0].columns.map((column) => column.name));
    }
    const declared = indexes.map(({ config }) => [
      config.name,
      {
        columns: config.columns.map((column) => ('name' in column ? column.name : '')),
        unique: config.unique,
        partial: config.where !== undefined,
      },
    ]);
    expect(migrated, name).toEqual(new Map(declared as [string, unknown][]));
    expect(is(table, SQLiteTable)).toBe(true);
  }
});

it('refuses a database that a newer version has migrated, and changes nothing', async () => {
  const database = await openDatabase({ url });
  closers.push(() => database.close());
  const newer = { name: '0099-newer', statements: ['create table novelty (id integer primary key)'] };
  await migrate(database, [...MIGRATIONS, newer]);
  await expect(openStore({ url })).rejects.toThrow(/newer version of Weir.*0099-newer.*restore a backup/s);
  const rows = await database.read({ sql: 'select name from weir_migrations order by name', args: [] });
  expect(rows.map((row) => row.name)).toEqual([...MIGRATIONS.map(({ name }) => name), '0099-newer']);
});

it('applies a migration wholly or not at all', async () => {
  const database = await openDatabase({ url });
  closers.push(() => database.close());
  const broken = {
    name: '0098-broken',
    statements: ['create table half (id integer)', 'create table half (id integer)'],
  };
  await expect(migrate(database, [broken])).rejects.toThrow(/half/);
  expect(await database.read({ sql: `select name from sqlite_master where name = 'half'`, args: [] })).toEqual([]);
  expect(await database.read({ sql: 'select name from weir_migrations', args: [] })).toEqual([]);
  // A new database gets all of them or none, one with data those that went well.
  await expect(migrate(database, [...MIGRATIONS, broken])).rejects.toThrow(/half/);
  expect(await database.read({ sql: 'select name from weir_migrations', args: [] })).toEqual([]);
  await migrate(database, MIGRATIONS);
  const added = { name: '0097-added', statements: ['create table added (id integer)'] };
  await expect(migrate(database, [...MIGRATIONS, added, broken])).rejects.toThrow(/half/);
  const last = await database.read({ sql: 'select name from weir_migrations order by name desc limit 1', args: [] });
  expect(last).toEqual([{ name: '0097-added' }]);
});

it('processes that start together on a new database all come up, and write side by side', async () => {
  const module = new URL('../../src/store/open-node.ts', import.meta.url).href;
  const program = `
    const { openStore } = await import(${JSON.stringify(module)});
    const store = await openStore({ url: ${JSON.stringify(url)} });
    for (let n = 0; n < 40; n++) {
      await store.routes.put({ id: 'r' + n, tenantId: 't' + process.pid, name: 'n' + n, config: {}, createdAt: 1, updatedAt: 1 });
    }
    console.log((await store.routes.list('t' + process.pid)).length);
    await store.close();`;
  const outcomes = await Promise.all(
    [1, 2, 3].map(async () => {
      const child = spawn(process.execPath, ['--input-type=module', '--no-warnings', '-e', program]);
      closers.push(() => child.exitCode === null && child.kill('SIGKILL'));
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
      const [code] = await once(child, 'close');
      return { code, output: output.trim() };
    }),
  );
  expect(outcomes).toEqual(Array(3).fill({ code: 0, output: '40' }));
});

it('waits for a database that another connection holds, on a fresh connection of its own', async () => {
  await open();
  const other = connect();
  const client = connect({ timeout: 5 });
  let reconnected = (): void => {};
  const busy = new Promise<void>((resolve) => {
    reconnected = resolve;
  });
  const watched = new Proxy(client, {
    get(target, name) {
      if (name === 'reconnect') reconnected();
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  const database = new Database(fromLibsql(watched));
  const transaction = await other.transaction('write');
  const write = database.write([{ sql: 'insert into guards (id, ok) values (7, 1)', args: [] }]);
  await busy;
  await transaction.commit();
  await write;
  await database.write([{ sql: 'delete from guards where id = 7', args: [] }]);
  expect(await database.read({ sql: 'select * from guards', args: [] })).toEqual([]);
});

it('keeps what it has committed through a loss of power: write-ahead log, synchronous full', async () => {
  const database = await openDatabase({ url });
  closers.push(() => database.close());
  expect((await database.read({ sql: 'pragma journal_mode', args: [] }))[0]?.journal_mode).toBe('wal');
  expect((await database.read({ sql: 'pragma synchronous', args: [] }))[0]?.synchronous).toBe(2);
});

it('names the broken constraint in an error, and none of the values', async () => {
  const { keys: storedKeys } = await open();
  const key = {
    tenantId: 't',
    name: 'n',
    role: 'user' as const,
    prefix: 'p',
    createdAt: NOW,
    revokedAt: null,
    limits: null,
  };
  await storedKeys.insert({ ...key, id: 'key_1', hash: 'confidential' });
  const error = await storedKeys
    .insert({ ...key, id: 'key_2', hash: 'confidential' })
    .catch((reason: unknown) => reason);
  expect(isConstraintFailure(error, 'keys.hash')).toBe(true);
  for (let each = error; each instanceof Error; each = each.cause) expect(each.message).not.toContain('confidential');
});

it('stores text with what SQLite cannot hold replaced', async () => {
  const store = await open();
  await store.files.insert(fileRow('file-1', { filename: 'a\u0000b\ud800c' }));
  expect((await store.files.get('all', 'file-1'))?.filename).toBe('a\ufffdb\ufffdc');
});

it('rejects after it was closed, and when there is no database to reach', async () => {
  const store = await open();
  await store.ping();
  await store.close();
  await store.close();
  await expect(store.ping()).rejects.toThrow();
  await expect(openWebStore({ url: 'http://127.0.0.1:9' })).rejects.toThrow();
  await expect((async () => openWebStore({ url }))()).rejects.toThrow(/file/);
});
