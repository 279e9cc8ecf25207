import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { columnsOf } from '../../src/runtime/cli/printable.ts';
import { type CliServer, startCliServer, unusedUrl } from './cli-server.ts';

interface Sums {
  data: { amount_nano_usd: number }[];
  total: { amount_nano_usd: number };
}

let server: CliServer;
let batchId: string;
beforeAll(async () => {
  server = await startCliServer();
  const input = await server.writeInput('input.jsonl', ['any'], 50);
  const batch = await server.json(['submit', input, '--route', 'both', '--window', 'immediate', '--watch']);
  batchId = batch.id;
});
afterAll(() => server.stop());

describe('weir ledger', () => {
  it('sums by provider and model, with a total of 80 columns at most', async () => {
    const ran = await server.run(['ledger']);
    expect(ran.exitCode).toBe(0);
    expect(ran.out).toMatch(/^PROVIDER +MODEL +ENTRIES +TOKENS IN +TOKENS OUT +COST USD\n/);
    expect(ran.out).toMatch(/\ncheap +cheap-model /);
    expect(ran.out).toMatch(/\n─+\ntotal +/);
    for (const line of ran.out.split('\n')) expect(columnsOf(line)).toBeLessThanOrEqual(80);
  });

  it('adds up to the cost of the batch', async () => {
    const batch = await server.json(['status', batchId]);
    const sums = await server.json<Sums>(['ledger', '--batch', batchId, '--group-by', 'target,status']);
    const amounts = sums.data.map((row) => row.amount_nano_usd);
    expect(amounts.reduce((sum, amount) => sum + amount, 0)).toBe(batch.cost.amount_nano_usd);
    expect(sums.total.amount_nano_usd).toBe(batch.cost.amount_nano_usd);
  });

  it('names days as days', async () => {
    expect((await server.run(['ledger', '--group-by', 'day'])).out).toMatch(/\n\d{4}-\d\d-\d\d +\d/);
  });

  it('shows entries, and every one of them as CSV and JSONL', async () => {
    const { data } = await server.json<Sums>(['ledger', '--entries', '--batch', batchId]);
    expect(data.length).toBeGreaterThanOrEqual(50);
    expect((await server.run(['ledger', '--entries'])).out).toMatch(
      /^TIME +TARGET +CUSTOM ID +TRY +STATUS +COST USD\n/,
    );
    const csv = (await server.run(['ledger', '--entries', '--format', 'csv'])).out.trimEnd().split(/\r?\n/);
    const jsonl = (await server.run(['ledger', '--entries', '--format', 'jsonl'])).out.trimEnd().split('\n');
    expect(csv.length - 1).toBe(jsonl.length);
    expect(jsonl.map((line) => JSON.parse(line).object)).toEqual(jsonl.map(() => 'ledger.entry'));
  });

  it('writes Parquet to a file, and never to a screen', async () => {
    const path = join(server.folder, 'ledger.parquet');
    const ran = await server.run(['ledger', '--entries', '--batch', batchId, '--format', 'parquet', '--out', path]);
    expect(ran.out).toMatch(/ written to .*ledger\.parquet\n$/);
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path) });
    const batch = await server.json(['status', batchId]);
    const amounts = rows.map((row) => (row.amount_nano_usd as bigint | null) ?? 0n);
    expect(amounts.reduce((sum, amount) => sum + amount, 0n)).toBe(BigInt(batch.cost.amount_nano_usd));

    const onScreen = await server.run(['ledger', '--format', 'parquet'], {
      isTty: true,
      environment: server.environment,
    });
    expect([onScreen.exitCode, onScreen.out]).toEqual([2, '']);
    expect(onScreen.notes).toContain('--out FILE');
    const wrong = await server.run(['ledger', '--out', path]);
    expect([wrong.exitCode, wrong.notes]).toEqual([2, expect.stringContaining('--format csv, jsonl, parquet')]);
  });

  it('passes on what the server refuses', async () => {
    const ran = await server.run(['ledger', '--group-by', 'colour']);
    expect(ran.exitCode).toBe(2);
    expect(ran.notes).toContain("Invalid 'group_by'");
  });

  it('says when nothing matches', async () => {
    expect((await server.run(['ledger', '--provider', 'none'])).out).toBe('There are no ledger entries that match.\n');
  });
});

describe('weir models', () => {
  it('lists routes and models', async () => {
    expect((await server.run(['models'])).out).toMatch(/\nboth +weir\n/);
    expect((await server.json<{ data: { id: string }[] }>(['models'])).data.map(({ id }) => id)).toContain(
      'fast-model',
    );
  });
});

describe('weir keys', () => {
  it('creates a key whose secret alone is on stdout, lists it and revokes it', async () => {
    const created = await server.run(['keys', 'create', 'night job']);
    const secret = created.out.trimEnd();
    expect(secret).toMatch(/^weir_\w{43}$/);
    const id = /key_\w+/.exec(created.notes)?.[0] ?? '';
    const asUser = { environment: { WEIR_URL: server.url, WEIR_API_KEY: secret } };
    expect((await server.run(['status'], asUser)).exitCode).toBe(0);
    expect((await server.run(['keys', 'list'], asUser)).exitCode).toBe(2);
    expect((await server.run(['keys', 'list'])).out).toMatch(new RegExp(`${id} +night job +user`));
    const limited = await server.run([
      'keys',
      'limit',
      id,
      '--max',
      'requests_per_minute=60',
      '--max',
      'storage_bytes=9',
    ]);
    expect(limited.out).toBe(`${id} (night job): requests_per_minute=60, storage_bytes=9\n`);
    expect((await server.run(['keys', 'limit', id])).out).toBe(`${id} (night job): the server's defaults\n`);
    const wrong = await server.run(['keys', 'limit', id, '--max', 'requests=60']);
    expect(wrong.exitCode).toBe(2);
    expect(wrong.notes).toContain('limits.requests');
    expect((await server.run(['keys', 'limit', id, '--max', 'storage_bytes=many'])).exitCode).toBe(2);
    expect((await server.run(['keys', 'revoke', id])).out).toBe(`${id} (night job) is revoked.\n`);
    const refused = await server.run(['status'], asUser);
    expect(refused.exitCode).toBe(2);
    expect(refused.notes).toContain('Check WEIR_API_KEY.');
  });

  it('asks for a key when there is none', async () => {
    const ran = await server.run(['status'], { environment: { WEIR_URL: server.url } });
    expect(ran.exitCode).toBe(2);
    expect(ran.notes).toBe(`weir: ${server.url} needs an API key. Set WEIR_API_KEY to a key of this server.\n`);
  });
});

describe('weir budgets', () => {
  it('makes, shows, lists, changes and deletes budgets', async () => {
    const options = ['--limit', '2.5', '--tag', 'team=search', '--period', 'week', '--on-insufficient', 'stop'];
    const made = await server.run(['budgets', 'create', '--name', 'search', '--alerts', '90,10', ...options]);
    expect(made.exitCode).toBe(0);
    expect(made.out).toMatch(/^budget_\w+ \(search\)\n {2}limit {2}\$2\.5 until \d{4}-/);
    const id = /budget_\w+/.exec(made.out)?.[0] ?? '';
    expect(await server.json(['budgets', 'show', id])).toMatchObject({
      tag: { key: 'team', value: 'search' },
      period: 'week',
      on_insufficient: 'stop',
      alert_thresholds: [10, 90],
    });
    const listed = (await server.run(['budgets', 'list'])).out;
    expect(listed).toMatch(/\nbudget_\S+ +search +2\.50 +0\.00 +0\.00 +2\.50\n/);
    for (const line of listed.split('\n')) expect(columnsOf(line)).toBeLessThanOrEqual(80);
    await server.run(['budgets', 'update', id, '--limit', '2.500000001']);
    // A billionth that is left, or was spent, is not rounded away.
    expect((await server.run(['budgets', 'list'])).out).toMatch(/ 2\.500000001 +0\.00 +0\.00 +2\.500000001\n/);
    expect((await server.run(['budgets', 'update', id, '--limit', '3'])).out).toContain('limit  $3 ');
    const wrong = await server.run(['budgets', 'update', id, '--limit', 'much']);
    expect(wrong.exitCode).toBe(2);
    expect(wrong.notes).toContain("Invalid 'limit_usd'");
    expect((await server.run(['budgets', 'create', '--limit', '1', '--alerts', 'soon'])).exitCode).toBe(2);
    expect((await server.run(['budgets', 'delete', id])).out).toBe(`${id} is deleted.\n`);
    expect((await server.run(['budgets', 'list'])).out).toBe('There are no budgets.\n');
  });
});

describe('weir doctor', () => {
  const check = async (environment: Record<string, string>, exitCode: number) => {
    const ran = await server.run(['doctor', '--json'], { environment });
    expect(ran.exitCode).toBe(exitCode);
    const checks: { name: string; status: string; detail: string; remedies: string[] }[] = JSON.parse(ran.out).data;
    return new Map(checks.map((each) => [each.name, each]));
  };

  it('needs no server, leaves nothing behind, and proves that providers answer', async () => {
    const config = await server.writeConfig('good.yaml', { a: { kind: 'sandbox', models: ['m1'] } });
    const dataDir = `${server.folder}/new-data`;
    const found = await check({ WEIR_CONFIG: config, WEIR_DATA_DIR: dataDir, WEIR_URL: await unusedUrl() }, 0);
    expect(found.get('Config')).toMatchObject({ status: 'ok', detail: `${config}: 1 provider, 0 routes` });
    expect(found.get('Data folder')).toMatchObject({ status: 'ok' });
    expect(found.get('Database')).toMatchObject({ status: 'ok' });
    expect(found.get('Server')).toMatchObject({ status: 'info' });
    expect(found.get('a')).toMatchObject({ status: 'ok', detail: '1 model: m1' });
    expect(await server.exists(dataDir)).toBe(false);
  });

  it('names the remedy for each provider that fails, and ends with 3', async () => {
    const nowhere = await unusedUrl();
    const config = await server.writeConfig('bad.yaml', {
      gone: { kind: 'vllm', base_urls: [`${nowhere}/v1`] },
      locked: { kind: 'openai', base_url: `${server.url}/v1`, api_key: 'weir_not-a-key-of-this-server' },
      lacking: { kind: 'openai', base_url: `${server.url}/v1`, api_key: `$${'{KEY}'}`, models: ['no-such-model'] },
    });
    const environment = {
      WEIR_CONFIG: config,
      WEIR_DATA_DIR: server.folder,
      KEY: server.environment.WEIR_API_KEY ?? '',
    };
    const found = await check({ ...environment, WEIR_URL: server.url }, 3);
    expect(found.get('Server')).toMatchObject({ status: 'ok', detail: `${server.url} is ready` });
    expect(found.get('gone')?.status).toBe('failed');
    expect(found.get('gone')?.remedies[0]).toContain('Check its address in the config');
    expect(found.get('locked')?.remedies[0]).toContain('Check its api_key');
    expect(found.get('lacking')).toMatchObject({ status: 'warning' });
    expect(found.get('lacking')?.remedies[0]).toContain('It does not list no-such-model');
    expect(JSON.stringify([...found.values()])).not.toContain('not-a-key-of-this-server');
  });

  it('lists everything that is wrong with environment and config at once', async () => {
    const config = await server.writeConfig('wrong.yaml', { a: { kind: 'sandbocks' }, b: { kind: 'vllm' } });
    const found = await check({ WEIR_CONFIG: config, WEIR_PORT: 'http' }, 3);
    expect(found.get('Config')?.remedies.join('\n')).toMatch(/WEIR_PORT.*providers\.a\.kind.*providers\.b\.base_urls/s);
  });

  it('tells another program at the port from a Weir', async () => {
    const config = await server.writeConfig('other.yaml', { a: { kind: 'sandbox' } });
    const other = await server.startOther();
    const found = await check({ WEIR_CONFIG: config, WEIR_DATA_DIR: server.folder, WEIR_URL: other }, 3);
    expect(found.get('Server')).toMatchObject({
      status: 'failed',
      detail: `${other} is taken by something that is no Weir`,
    });
  });

  it('fits 80 columns', async () => {
    const config = await server.writeConfig('wide.yaml', {
      [`a${'b'.repeat(60)}`]: { kind: 'sandbox', models: ['m'.repeat(200)] },
    });
    const environment = { WEIR_CONFIG: config, WEIR_DATA_DIR: server.folder, WEIR_URL: server.url };
    const ran = await server.run(['doctor'], { environment });
    expect(ran.out).toContain('All is well.');
    for (const line of ran.out.split('\n')) expect(columnsOf(line)).toBeLessThanOrEqual(80);
  });
});
