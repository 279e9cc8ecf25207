import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Database } from '../../src/store/client.ts';
import { migrate } from '../../src/store/migrate.ts';
import { MIGRATIONS } from '../../src/store/migrations/index.ts';
import { openDatabase } from '../../src/store/open-node.ts';
import { openStoreOn } from '../../src/store/store.ts';
import {
  batchRow,
  claim,
  claimShards,
  emptyCommit,
  entryRow,
  LATER,
  NOW,
  partRow,
  segmentRow,
  shardRow,
} from './store/subject.ts';

let directory: string;
let database: Database;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-upgrade-'));
  database = await openDatabase({ url: `file:${join(directory, 'weir.db')}` });
});

afterEach(async () => {
  await database.close();
  await rm(directory, { recursive: true });
});

/** A running batch of two segments, ten lines each, with one entry, as written before there were shards. */
async function writeBeforeShards(): Promise<void> {
  await migrate(
    database,
    MIGRATIONS.filter(({ name }) => name === '0001-initial'),
  );
  const statements = [
    `insert into batches (id, tenant_id, endpoint, completion_window, input_file_id, status, created_at, in_progress_at,
       expires_at, total, completed, failed, input_tokens, cached_tokens, output_tokens, reasoning_tokens, total_tokens,
       amount_nano, list_amount_nano, entries, unpriced_entries, lanes, open_segments, next_at)
     values ('batch_1', 'tenant-a', '/v1/chat/completions', 'immediate', 'file-of-batch_1', 'in_progress', ${NOW}, ${NOW},
       ${NOW + 86_400}, 20, 1, 0, 0, 0, 0, 0, 0, 1000, 2000, 1, 0, '[]', 2, ${NOW})`,
    ...[0, 1].map(
      (index) => `insert into segments (id, batch_id, tenant_id, lane, queue, first_line, last_line, lines, granted)
        values ('batch_1-${index}', 'batch_1', 'tenant-a', 0, 'pool', ${index * 10}, ${index * 10 + 9}, 10, ${index})`,
    ),
    `insert into ledger_entries (created_at, tenant_id, key_id, batch_id, custom_id, line, attempt, mode, provider, target,
       model, served_model, status, final, status_code, usage, raw_usage, input_tokens, cached_input_tokens, output_tokens,
       price_version, amount_nano, list_amount_nano, estimated, latency_ms)
     values (${NOW}, 'tenant-a', 'key_1', 'batch_1', '"request-1"', 1, 1, 'immediate', 'pool', 'pool/llama',
       'llama', 'llama-3', 'succeeded', 1, 200, '{"input_tokens":10,"output_tokens":5}', '{"odd":1.5}', 10, 4, 5,
       '2026-11-01', 1000, 2000, 0, 12)`,
    `insert into ledger_hourly values (${NOW - (NOW % 3_600)}, 'tenant-a', 'key_1', 'pool', 'pool/llama', 'llama', 'immediate',
       'succeeded', 1, 1, 10, 4, 5, 1000, 2000, 0, 1, 1)`,
  ];
  await database.write(statements.map((sql) => ({ sql, args: [] })));
}

it('a batch that runs during the upgrade to shards goes on, with its segments and its entries', async () => {
  await writeBeforeShards();
  const store = await openStoreOn(database);
  const earlier = {
    ...entryRow({ rates: null, tags: null, route: null, rawUsage: { odd: 1.5 } }),
    id: 'entry_batch_1_1_1',
  };
  expect(await store.ledger.entries({ tenantId: null }, { limit: 9 })).toEqual([earlier]);
  const leases = await claim(store, { limit: 9 });
  expect(leases).toMatchObject([
    { ...segmentRow('batch_1', 0), granted: 0 },
    { ...segmentRow('batch_1', 1), granted: 1 },
  ]);
  const segments = leases.map(({ id, token, granted }) => ({ id, token, granted, finished: true }));
  const rest = emptyCommit(leases, { segments, part: partRow('p'), entries: [entryRow({ line: 2 })] });
  expect((await store.segments.commit(rest)).ok).toBe(true);
  expect(await store.batches.get('all', 'batch_1')).toMatchObject({
    entries: 2,
    amountNano: 2_000n,
    openSegments: 0,
    options: null,
  });
  // By day, by hour and by batch: the sums of before the upgrade are there.
  for (const groups of [[], ['hour'], ['batch']] as const) {
    const sums = await store.ledger.summary({ tenantId: null }, groups, null);
    expect(sums).toMatchObject([{ entries: 2, amountNano: 2_000n, savingsNano: 2_000n, gpuMicroseconds: 0 }]);
  }
});

it('after the upgrade to shards provider batches can be made, and the installation has its word', async () => {
  await writeBeforeShards();
  const store = await openStoreOn(database);
  const word = await store.shards.installation();
  expect(word).toMatch(/^[0-9a-f]{8}$/);
  await migrate(database, MIGRATIONS);
  expect(await store.shards.installation()).toBe(word);
  await store.batches.insert(batchRow('batch_2'));
  await store.batches.claimDue({ now: NOW, until: LATER, token: 'start', limit: 9 });
  await store.shards.insertMany([shardRow('batch_2', 0)]);
  const start = { now: NOW, total: 10, refused: 0, model: 'm', lanes: [], lanesKey: 'k', segments: 1 };
  expect(await store.batches.start('batch_2', 'start', start)).toBe(true);
  expect((await claimShards(store)).map((shard) => shard.id)).toEqual(['batch_2-s0']);
});

it('what was corrected before the upgrade counts for the provider batches that brought it, and for the time when it ran', async () => {
  await migrate(
    database,
    MIGRATIONS.slice(
      0,
      MIGRATIONS.findIndex(({ name }) => name === '0023-adjusted-shards'),
    ),
  );
  const columns = `seq, id, created_at, tenant_id, batch_id, line, attempt, mode, provider, target, model, status, final,
    input_tokens, cached_input_tokens, output_tokens, estimated, amount_nano, shard_id, reverses, corrects`;
  const row = (seq: number, line: number | null, attempt: number, rest: string) =>
    `(${seq}, ${line === null ? `'e${seq}', ` : 'null, '}${NOW + seq}, 'tenant-a', ${line === null ? 'null, null' : `'batch_1', ${line}`}, ${attempt},
      'batch', 'openai', 'openai/m', 'm', 'succeeded', 0, 10, 0, 5, 0, ${rest})`;
  const rows = [
    row(1, 1, 1, "100, 'batch_1-s0', null, null"),
    row(2, 2, 1, '7, null, null, null'),
    row(3, null, 1, '1000, null, null, null'),
    row(4, 1, -1, '-100, null, 1, null'),
    row(5, 1, -2, '200, null, null, 1'),
    row(6, 2, -1, '-7, null, 2, null'),
    row(7, 2, -2, '9, null, null, 2'),
    row(8, null, 1, '-1000, null, 3, null'),
    row(9, null, 1, '3000, null, null, 3'),
    row(10, 1, -3, '-200, null, 5, null'),
    row(11, 1, -4, '350, null, null, 5'),
  ];
  await database.write([{ sql: `insert into ledger_entries (${columns}) values ${rows.join(', ')}`, args: [] }]);
  const store = await openStoreOn(database);
  await store.batches.insert(batchRow('batch_1'));
  await store.shards.insertMany([shardRow('batch_1', 0)]);
  expect(await store.shards.list('batch_1')).toMatchObject([{ amountNano: 350n, unpriced: 0, entries: 1 }]);
  // Corrected again, each is priced by when it was made first.
  const standing = await store.ledger.adjustable({ tenantId: null }, { after: 0, limit: 9, unpricedOnly: false });
  expect(standing.map(({ place, ranAt }) => [place, ranAt])).toEqual([
    [7, NOW + 2],
    [9, NOW + 3],
    [11, NOW + 1],
  ]);
});
