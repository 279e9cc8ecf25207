import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Reconciliations } from '../../src/protocol/reconciliation.ts';
import { columnsOf } from '../../src/runtime/cli/printable.ts';
import { type CliServer, startCliServer } from './cli-server.ts';

interface Sums {
  data: { day: number; model: string; input_tokens: number; output_tokens: number; amount_usd: string }[];
}

let server: CliServer;
beforeAll(async () => {
  server = await startCliServer();
  const input = await server.writeInput('input.jsonl', ['any'], 50);
  await server.json(['submit', input, '--route', 'both', '--window', 'immediate', '--watch']);
});
afterAll(() => server.stop());

async function writeBill(name: string, factor: bigint): Promise<string> {
  const sums = await server.json<Sums>(['ledger', '--group-by', 'day,model']);
  const rows = sums.data.map((row) => {
    const nano = BigInt(Math.round(Number(row.amount_usd) * 1e9)) * factor;
    const usd = `${nano / 1_000_000_000n}.${(nano % 1_000_000_000n).toString().padStart(9, '0')}`;
    return `${new Date(row.day * 1000).toISOString()},${row.model},${row.input_tokens},${row.output_tokens},${usd}`;
  });
  const path = join(server.folder, name);
  await writeFile(path, ['day,model,input_tokens,output_tokens,amount_usd', ...rows, ''].join('\n'));
  return path;
}

describe('weir reconcile', () => {
  it('finds nothing open where a bill and the accounts agree', async () => {
    const bill = await writeBill('bill.csv', 1n);
    const found = await server.json<Reconciliations>(['reconcile', bill, '--provider', 'fast,cheap']);
    expect(found.data).toMatchObject([{ source: 'bill', difference_nano_usd: 0, unexplained_nano_usd: 0 }]);
    const ran = await server.run(['reconcile', bill, '--provider', 'fast,cheap']);
    expect(ran.exitCode).toBe(0);
    expect(ran.notes).toContain('a plain bill; 0 rows');
    expect(ran.out).toMatch(/unexplained +0\.0/);
  });

  it('shows what is open in 80 columns, and exits with 1', async () => {
    const bill = await writeBill('double.csv', 2n);
    const ran = await server.run(['reconcile', bill, '--provider', 'fast,cheap']);
    expect(ran.exitCode).toBe(1);
    expect(ran.out).toMatch(/DAY +MODEL +LEDGER USD +BILLED USD +CAUSE\n/);
    expect(ran.out).toMatch(/fast-model .* price\n/);
    for (const line of ran.out.split('\n')) expect(columnsOf(line)).toBeLessThanOrEqual(80);
  });

  it('says which providers cannot tell what they bill', async () => {
    const ran = await server.run(['reconcile']);
    expect(ran.exitCode).toBe(0);
    expect(ran.out).toContain('fast: it has no usage API');
  });

  it('compares provider batches, of which there are none here, and lists orphans', async () => {
    const ran = await server.run(['reconcile', '--batches']);
    expect([ran.exitCode, ran.out]).toEqual([
      0,
      '0 provider batches: 0 equal, 0 of which nothing is told; 0 orphans.\n',
    ]);
  });

  it('refuses what cannot be read, and names how it should be', async () => {
    const path = join(server.folder, 'odd.csv');
    await writeFile(path, 'a,b\n1,2\n');
    const odd = await server.run(['reconcile', path, '--provider', 'fast']);
    expect([odd.exitCode, odd.notes.includes('no billing export that is known')]).toEqual([2, true]);
    await writeFile(path, 'day,model,amount_usd\n2026-01-01,m,x\n');
    expect((await server.run(['reconcile', path, '--provider', 'fast'])).notes).toContain('line 2: amountusd must be');
    expect((await server.run(['reconcile', path])).notes).toContain('--provider is missing');
    await writeFile(path, 'day,model,amount_usd\n');
    expect((await server.run(['reconcile', path, '--provider', 'fast'])).notes).toContain('has no rows below');
    await writeFile(path, '');
    expect((await server.run(['reconcile', path, '--provider', 'fast'])).notes).toContain('is empty. A bill has');
  });

  it('tells of rows outside the days that are asked for, and shows sums of any size', async () => {
    const path = join(server.folder, 'bill.csv');
    await writeFile(path, 'day,model,amount_usd\n2026-01-01,m,99999999999999999999\n2026-02-01,m,1\n');
    const ran = await server.run(['reconcile', path, '--provider', 'fast', '--to', '2026-02-01']);
    expect(ran.notes).toContain('1 sum of a day and model not within 2026-01-01 to 2026-02-01 left out.');
    expect(ran.out).toMatch(/\nbilled +\d{20}\.\d+\n$/);
    expect(ran.exitCode).toBe(1);
    expect((await server.run(['reconcile', '--map', 'x'])).notes).toContain('BILLED=LEDGER');
    expect((await server.run(['reconcile', '/nowhere.csv', '--provider', 'fast'])).exitCode).toBe(2);
  });
});

describe('weir reprice', () => {
  it('shows what a batch would have cost on another provider', async () => {
    const { data } = await server.json<{ data: { id: string }[] }>(['status']);
    const id = data[0]?.id ?? '';
    const ran = await server.run(['reprice', id, '--provider', 'cheap', '--model', 'cheap-model']);
    expect(ran.exitCode).toBe(0);
    expect(ran.out).toMatch(/^TARGET +ENTRIES +COST USD +OTHERWISE USD\n[\s\S]*\ntotal /);
    const found = await server.json<{ repriced_nano_usd: number; actual_nano_usd: number }>([
      'reprice',
      id,
      '--provider',
      'cheap',
    ]);
    expect(found.repriced_nano_usd).toBeLessThan(found.actual_nano_usd);
    expect((await server.run(['reprice', 'batch_none'])).exitCode).toBe(2);
  });
});
