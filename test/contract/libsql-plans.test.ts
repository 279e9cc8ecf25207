import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient, type InStatement } from '@libsql/client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { getTableConfig } from '#drizzle';
import { Database } from '../../src/store/client.ts';
import { openStore } from '../../src/store/open-node.ts';
import { fromLibsql } from '../../src/store/sql-client.ts';
import { openStoreOn } from '../../src/store/store.ts';
import {
  batchRow,
  batchUsage,
  claim,
  claimShards,
  emptyCommit,
  entryRow,
  NOW,
  partRow,
  segmentRow,
  shardRow,
  startBatch,
} from './store/subject.ts';
import { TABLES } from './store/tables.ts';

let directory: string;
let url: string;
let closers: (() => unknown)[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-plans-'));
  url = `file:${join(directory, 'weir.db')}`;
  closers = [];
});

afterEach(async () => {
  for (const close of closers) await close();
  await rm(directory, { recursive: true });
});

function connect(): Client {
  const client = createClient({ url });
  closers.push(() => client.close());
  return client;
}

it('finds its way by an index in everything that runs often', async () => {
  const store = await openStore({ url });
  closers.push(() => store.close());
  const explainer = connect();
  const client = connect();
  const plans = new Map<string, string[]>();
  const explain = async (statement: InStatement) => {
    if (typeof statement === 'string') return;
    const plan = await explainer.execute({ sql: `explain query plan ${statement.sql}`, args: statement.args ?? [] });
    plans.set(
      statement.sql,
      plan.rows.map((row) => String(row.detail)),
    );
  };
  const watched = new Proxy(client, {
    get(target, name) {
      if (name === 'execute')
        return (statement: InStatement) => explain(statement).then(() => target.execute(statement));
      if (name === 'batch') {
        return async (statements: InStatement[], mode: 'write') => {
          for (const statement of statements) await explain(statement);
          return target.batch(statements, mode);
        };
      }
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  const watchedStore = await openStoreOn(new Database(fromLibsql(watched)));
  await startBatch(store, 'batch_1', [segmentRow('batch_1', 0)]);
  plans.clear();

  const held = [{ queue: 'pool', batchId: 'batch_2' }];
  const leases = await claim(watchedStore, { exclude: ['other'], newcomers: ['pool'], held });
  await watchedStore.segments.commit(emptyCommit(leases, { part: partRow('p'), entries: [entryRow()] }));
  const allowance = { taker: 'worker', underWayNano: 0, keptNano: 0, wishedNano: 0 };
  await watchedStore.segments.commit(emptyCommit(leases, { part: partRow('p'), allowance }));
  await watchedStore.segments.commit(emptyCommit(leases, { allowance }));
  await watchedStore.budgets.holdShard({ id: 'batch_1-s0', batchId: 'batch_1', boundNano: 1 }, NOW);
  await watchedStore.segments.renew(leases, NOW);
  await watchedStore.segments.claimDoubtful({ batchId: 'batch_1', token: 'work', until: NOW, limit: 8 });
  await watchedStore.segments.recover({ now: NOW });
  await watchedStore.segments.release(leases);
  await watchedStore.segments.parts('batch_1', 0, 9);
  await watchedStore.segments.partsSince('batch_1', 'p', 9);
  await watchedStore.ledger.append([entryRow(), entryRow({ shardId: 'batch_1-s0' })]);
  await watchedStore.shards.insertMany([shardRow('batch_1', 0, { state: 'running' })]);
  const [shard] = await claimShards(watchedStore, { exclude: ['other'] });
  const lease = [shard?.id ?? '', shard?.leaseToken ?? ''] as const;
  await watchedStore.shards.save(...lease, { state: 'collecting' });
  const results = {
    now: NOW,
    part: null,
    entries: [entryRow({ shardId: lease[0] })],
    completed: 0,
    failed: 0,
    usage: batchUsage(),
  };
  await watchedStore.shards.commit({ batchId: 'batch_1', shardId: lease[0], leaseToken: lease[1], ...results });
  await watchedStore.shards.ledgeredLines(lease[0]);
  await watchedStore.shards.spares('batch_1', 0, 9);
  await watchedStore.shards.ask({ id: lease[0], leaseToken: lease[1] }, [{ line: 0, question: 'q' }], true);
  await watchedStore.shards.askedLines(lease[0]);
  await watchedStore.shards.areAsking([lease[0]]);
  await watchedStore.shards.list('batch_1');
  const followUp = { segments: [segmentRow('batch_1', 5)], shards: [] };
  await watchedStore.shards.settle(...lease, { state: 'done', now: NOW, nextAt: NOW, followUp });
  await watchedStore.shards.load('openai', 'mini');
  await watchedStore.shards.knownTokens(['a']);
  await watchedStore.shards.adopt('a', { id: 'remote', refs: {}, submittedAt: NOW, now: NOW });
  await watchedStore.shards.recover({ now: NOW });
  await watchedStore.shards.release(...lease);
  await watchedStore.ledger.spent('batch_1', 1, 9);
  await watchedStore.ledger.entries({ tenantId: 'tenant-a', from: NOW }, { limit: 9, after: 'entry_batch_1_1_1' });
  await watchedStore.ledger.entries({ tenantId: 'tenant-a', batchId: 'batch_1' }, { limit: 9, order: 'asc' });
  await watchedStore.ledger.summary({ tenantId: 'tenant-a', from: NOW - 200_000, to: NOW }, ['day', 'provider'], null);
  await watchedStore.ledger.summary({ tenantId: null, batchId: 'batch_1' }, ['target'], null);
  const tag = { key: 'team', value: 'search' };
  await watchedStore.ledger.summary({ tenantId: 'tenant-a', tag, from: NOW - (NOW % 86_400) }, ['batch', 'tag'], 'run');
  await watchedStore.batches.claimDue({ now: NOW, until: NOW, token: 't', limit: 9 });
  await watchedStore.batches.stopExpired(NOW, 9);
  await watchedStore.batches.list({ tenantId: 'tenant-a' }, { limit: 9, after: 'batch_1' });
  await watchedStore.batches.live({ tenantId: 'tenant-a' }, 9);
  await watchedStore.files.list('tenant-a', { limit: 9 });
  await watchedStore.files.markExpired(NOW, 9);
  await watchedStore.files.purgeable(9);
  await watchedStore.keys.findByHash('h');
  await watchedStore.files.bytesOfKey('key_1');
  await watchedStore.batches.insertWithin(batchRow('batch_9', { keyId: 'key_1' }), {
    liveMax: 5,
    hold: { holder: 'batch_9', tenantId: 'tenant-a', keyId: 'key_1', tags: {}, routes: [], amountNano: 1 },
  });
  await watchedStore.idempotency.deleteBefore(NOW);
  const due = { now: NOW, until: NOW, token: 't', limit: 9, perWebhook: 4, busy: [] };
  await watchedStore.budgets.tellAlert(
    'evt_1',
    [{ id: 'evt_1', tenantId: 'a', type: 'budget.alert', createdAt: NOW, data: {} }],
    NOW,
  );
  await watchedStore.webhooks.claimDue(due);
  const gone = { outcome: 'gone', statusCode: 410, error: 'x' } as const;
  await watchedStore.webhooks.settle({ webhookId: 'whe_1', eventId: 'evt_1' }, 't', gone, NOW);
  await watchedStore.webhooks.deliveries('whe_1', { limit: 9, after: 'evt_1' });
  await watchedStore.webhooks.deleteEndedBefore(NOW, 9);
  await watchedStore.webhooks.countPending();

  await watchedStore.evalWork.claimDue({ now: NOW, until: NOW, token: 't', limit: 9 });
  await watchedStore.evalWork.latencies('batch_1', 1, 9);
  await watchedStore.evalWork.purge('evalrun_1', 9);
  await watchedStore.evals.items('evalrun_1', 5, 9);
  const page = { target: 1, after: { target: 1, item: 5 }, limit: 9 };
  await watchedStore.evals.outputs('evalrun_1', page);
  await watchedStore.evals.list('tenant-a', { limit: 9, orderBy: 'updated_at' });
  await watchedStore.evals.listRuns('eval_1', { limit: 9, order: 'desc' });

  expect(plans.size).toBeGreaterThan(40);
  const tables = TABLES.map((table) => getTableConfig(table).name).join('|');
  const scans = [...plans].filter(([, plan]) =>
    plan.some((step) => new RegExp(`^SCAN (${tables}|[a-qs-z])$`).test(step)),
  );
  expect(scans).toEqual([]);
  const ofBatch = [...plans].find(([sql]) => sql.includes('"batch_id"') && sql.includes('+tenant_id = ?'));
  expect(ofBatch?.[1].join()).toContain('ledger_entries_batch');
  const outputs = [...plans].find(([sql]) => sql.startsWith('select') && sql.includes('"eval_outputs"."item" >'));
  expect(outputs?.[1].join()).toContain('run_id=? AND target=? AND item>?');
});
