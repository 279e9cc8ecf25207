import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Estimate } from '../../src/protocol/estimate.ts';
import { columnsOf } from '../../src/runtime/cli/printable.ts';
import { type CliServer, startCliServer } from './cli-server.ts';

let server: CliServer;
beforeAll(async () => {
  server = await startCliServer();
});
afterAll(() => server.stop());

const fits = (text: string): void => {
  for (const line of text.split('\n')) expect(columnsOf(line)).toBeLessThanOrEqual(80);
};

/** Files that the server holds. */
async function files(): Promise<unknown[]> {
  const headers = { authorization: `Bearer ${server.environment.WEIR_API_KEY}` };
  const response = await fetch(`${server.url}/v1/files`, { headers });
  return ((await response.json()) as { data: unknown[] }).data;
}

describe('weir estimate', () => {
  it('shows the split, the range and the total, and leaves nothing on the server', async () => {
    const input = await server.writeInput('split.jsonl', ['any'], 100);
    const ran = await server.run(['estimate', input, '--route', 'both', '--window', 'immediate']);
    expect(ran.exitCode).toBe(0);
    expect(ran.out).toMatch(/^TARGET +MODE +LINES +REFUSED +TOKENS IN +ABOUT USD\n/);
    expect(ran.out).toMatch(/\nfast\/fast-model +immediate +60 +0 +\d+ +0\.\d+\n/);
    expect(ran.out).toMatch(/\ncheap\/cheap-model +immediate +40 +0 /);
    expect(ran.out).toMatch(/\n─+\ntotal +100 +0 /);
    expect(ran.out).toMatch(/\nCost: +\$0\.\d+ to \$0\.\d+, about \$0\.\d+\n/);
    expect(ran.out).toMatch(/\nALL LINES AT +MODE +LINES +ABOUT USD +WHY\n/);
    expect(ran.out).toMatch(/\ncheap\/cheap-model +immediate +100 +0\.\d+ +cheapest: /);
    expect(ran.out).toMatch(/\nfast\/fast-model +immediate +100 +0\.\d+ +29\.\d times the cheapest\n/);
    expect(ran.out.replaceAll('\n', ' ')).toMatch(
      /Cheapest within the window: about \$0\.\d+, \$0\.\d+ less\. cheap\/cheap-model \(immediate\) costs the least of the 2 /,
    );
    fits(ran.out);
    expect(await files()).toEqual([]);
  });

  it('prints the answer of the server as one JSON document', async () => {
    const input = await server.writeInput('json.jsonl', ['fast-model'], 5);
    const found = await server.json<Estimate>(['estimate', input, '--window', 'immediate']);
    expect(found).toMatchObject({ object: 'batch.estimate', requests: 5, split: [{ target: 'fast/fast-model' }] });
  });

  it('ends with 1 when lines are refused, and says which and why', async () => {
    const input = await server.writeInput('odd.jsonl', ['fast-model', 'no-such-model'], 20);
    const ran = await server.run(['estimate', input, '--window', 'immediate']);
    expect(ran.exitCode).toBe(1);
    expect(ran.out).toMatch(/\n\(no target\) +10 +10 +0 +0\.0+\n/);
    expect(ran.out).toMatch(/\nRefused by \(no target\)\n {2}line 2 \(line-1\): /);
    expect(ran.out).toContain('\n  and 5 more lines');
    fits(ran.out);
  });

  it('ends with 1 when the batch would fail, and says at which lines', async () => {
    const path = join(server.folder, 'wrong.jsonl');
    const body = { model: 'fast-model', messages: [] };
    const line = JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body });
    await writeFile(path, `${line}\n${line}\n`);
    const ran = await server.run(['estimate', path]);
    expect(ran.exitCode).toBe(1);
    expect(ran.out).toContain('The batch would fail');
    expect(ran.out).toContain('line 2: The custom_id "a" is already used on line 1.');
    fits(ran.out);
    expect(await files()).toEqual([]);
  });

  it('passes on what the server refuses, and deletes the upload all the same', async () => {
    const input = await server.writeInput('route.jsonl', ['any'], 2);
    const ran = await server.run(['estimate', input, '--route', 'no-such-route']);
    expect(ran.exitCode).toBe(2);
    expect(ran.notes).toContain("There is no route 'no-such-route'.");
    expect(await files()).toEqual([]);
  });

  it('refuses an endpoint that is none', async () => {
    const input = await server.writeInput('endpoint.jsonl', ['any'], 1);
    const ran = await server.run(['estimate', input, '--endpoint', '/v1/none']);
    expect(ran.exitCode).toBe(2);
    expect(ran.notes).toContain('--endpoint must be one of');
  });
});
