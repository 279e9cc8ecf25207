import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { Page } from '../../src/protocol/page.ts';
import { main } from '../../src/runtime/cli/main.ts';
import { columnsOf } from '../../src/runtime/cli/printable.ts';
import { type CliServer, startCliServer } from './cli-server.ts';
import { recordTerminal } from './cli-terminal.ts';

let server: CliServer;
beforeAll(async () => {
  server = await startCliServer();
});
afterAll(() => server.stop());

interface Lines {
  data: unknown[];
  incomplete: boolean;
}

const NOW = ['--window', 'immediate'];
const fits = (text: string): void => {
  for (const line of text.split('\n')) expect(columnsOf(line)).toBeLessThanOrEqual(80);
};

describe('weir submit', () => {
  it('sends a file, watches it to its end, writes the output in input order and accounts for it', async () => {
    const input = await server.writeInput('both.jsonl', ['any'], 100);
    const output = join(server.folder, 'both.out.jsonl');
    const ran = await server.run(['submit', input, '--route', 'both', ...NOW, '--watch', '--output', output]);
    expect(ran.exitCode).toBe(0);
    expect(ran.out).toContain('100 of 100 lines done (100 %)');
    expect(ran.out).toContain(`Written to:  ${output}`.slice(0, 70));
    expect(ran.out).toMatch(/\nfast\/fast-model +60 /);
    expect(ran.out).toMatch(/\ncheap\/cheap-model +40 /);
    fits(ran.out);
    const lines = (await readFile(output, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).custom_id)).toEqual(Array.from({ length: 100 }, (_, n) => `line-${n}`));
  });

  it('with --json prints one document: the batch, its ledger and where the output is', async () => {
    const input = await server.writeInput('json.jsonl', ['fast-model'], 5);
    const output = join(server.folder, 'json.out.jsonl');
    const document = await server.json([
      'submit',
      input,
      ...NOW,
      '--output',
      output,
      '--metadata',
      'team=a b',
      '--metadata',
      'x=',
    ]);
    expect(document).toMatchObject({
      object: 'batch',
      status: 'completed',
      request_counts: { total: 5, completed: 5, failed: 0 },
      metadata: { team: 'a b', x: '' },
      output_path: output,
    });
    expect(document.ledger.total.amount_nano_usd).toBe(document.cost.amount_nano_usd);
    expect(document.cost.amount_nano_usd).toBeGreaterThan(0);
  });

  it('takes the endpoint from the first line that is not blank', async () => {
    const path = join(server.folder, 'embeddings.jsonl');
    const body = { model: 'fast-model', input: 'text' };
    const line = JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/embeddings', body });
    await writeFile(path, `\ufeff\n\n${line}`);
    expect(await server.json(['submit', path, ...NOW])).toMatchObject({ endpoint: '/v1/embeddings' });
  });

  it('says why a batch stands still', async () => {
    const input = await server.writeInput('locked.jsonl', ['locked-model'], 10);
    const ran = await server.run(['submit', input, ...NOW, '--watch'], { isTty: true });
    expect(ran.exitCode).toBe(1);
    expect(ran.notes).toContain('locked/locked-model refuses the account, and lines wait: ');
    expect(ran.out).toContain('10 failed');
  }, 30_000);

  it('ends with 1 when lines fail, shows the first ones, and says how to send them again', async () => {
    const input = await server.writeInput('some-broken.jsonl', ['fast-model', 'broken-model'], 10);
    const ran = await server.run(['submit', input, ...NOW, '--watch']);
    expect(ran.exitCode).toBe(1);
    expect(ran.out).toContain('5 of 10 lines done (50 %), 5 failed');
    expect(ran.out).toMatch(/weir retry batch_\w+ sends them again/);
    expect(ran.out).toContain('First failures\nline 2 line-1: ');
    fits(ran.out);
  });

  it('ends with 1 when the file fails its check, and names line, code and remedy', async () => {
    const path = join(server.folder, 'invalid.jsonl');
    await writeFile(path, '{"custom_id":"a","url":"/v1/chat/completions"}\n{broken\n');
    const ran = await server.run(['submit', path, ...NOW, '--watch']);
    expect(ran.exitCode).toBe(1);
    expect(ran.out).toContain('Status:  failed');
    expect(ran.out).toMatch(/line 1: missing_required_parameter\n {2}method: /);
    expect(ran.out).toContain('line 2: invalid_json_line');
    fits(ran.out);
  });

  it('uploads nothing for a window or a priority that no server takes', async () => {
    const input = await server.writeInput('early.jsonl', ['fast-model'], 1);
    for (const [option, value] of [
      ['--window', '1y'],
      ['--window', '31d'],
      ['--priority=11', ''],
    ] as const) {
      const ran = await server.run(['submit', input, option, ...(value === '' ? [] : [value])]);
      expect(ran.exitCode).toBe(2);
      expect(ran.notes).toMatch(/--(window|priority) needs .*[,;] not (1y|31d|11)\.\n$/);
      expect(ran.notes).not.toContain('uploaded');
    }
  });

  it('says where the file is when the batch cannot be created', async () => {
    const input = await server.writeInput('no-route.jsonl', ['fast-model'], 1);
    const ran = await server.run(['submit', input, '--route', 'nowhere']);
    expect(ran.exitCode).toBe(2);
    expect(ran.notes).toMatch(/nowhere.*\n.*uploaded as file-\w+/);
  });

  it('leaves the batch alone at Ctrl-C and says how to go on', async () => {
    const input = await server.writeInput('stuck.jsonl', ['stuck-model'], 4);
    const terminal = recordTerminal({
      environment: server.environment,
      isTty: true,
      onNote: (text) => {
        if (text.includes('0/4')) terminal.interrupt();
      },
    });
    expect(await main(['submit', input, ...NOW, '--watch'], terminal)).toBe(130);
    const id = /weir status (batch_\w+) --watch/.exec(terminal.notesText)?.[1] ?? '';
    expect(await server.json(['status', id])).toMatchObject({ id, status: 'in_progress' });
    await server.run(['cancel', id]);
  });
});

describe('weir status, cancel, pause, resume and retry', () => {
  it('steer one batch through its life', async () => {
    const input = await server.writeInput('life.jsonl', ['stuck-model'], 3);
    const { id } = await server.json(['submit', input, ...NOW]);
    await expect.poll(async () => (await server.json(['status', id])).status, { timeout: 10_000 }).toBe('in_progress');
    expect(await server.json(['pause', id])).toMatchObject({ paused: true });
    expect((await server.run(['status', id])).out).toContain('(paused)');
    expect(await server.json(['resume', id])).toMatchObject({ paused: false });
    expect(await server.json(['cancel', id])).toMatchObject({ id });
    expect(await server.json(['status', id, '--watch'], 1)).toMatchObject({
      status: 'cancelled',
      request_counts: { total: 3, completed: 0, failed: 3 },
    });
    expect(await server.json(['retry', id])).toMatchObject({ retry_of: id });
    const list = await server.json<Page<BatchObject>>(['status', '--limit', '1']);
    expect(list.data).toMatchObject([{ retry_of: id }]);
    await server.run(['cancel', list.data[0]?.id ?? '']);
  });

  it('sends failed lines again and watches them', async () => {
    const input = await server.writeInput('again.jsonl', ['broken-model', 'fast-model'], 2);
    const { id } = await server.json(['submit', input, ...NOW, '--watch'], 1);
    const again = await server.json(['retry', id, '--watch'], 1);
    expect(again).toMatchObject({ retry_of: id, request_counts: { total: 1, failed: 1 } });
    const nothing = await server.json([
      'submit',
      await server.writeInput('ok.jsonl', ['fast-model'], 1),
      ...NOW,
      '--watch',
    ]);
    expect(await server.json(['retry', nothing.id], 2)).toMatchObject({ error: { code: 'nothing_to_retry' } });
  });

  it('list batches in a table of 80 columns', async () => {
    const ran = await server.run(['status']);
    expect(ran.exitCode).toBe(0);
    expect(ran.out).toMatch(/^BATCH +STATUS +DONE +FAILED +COST\n/);
    fits(ran.out);
  });

  it('end with 2 for a batch that is not there', async () => {
    for (const command of ['status', 'cancel', 'pause', 'resume', 'retry', 'output']) {
      expect(await server.json([command, 'batch_none'], 2)).toMatchObject({ error: { code: 'not_found' } });
    }
  });
});

describe('weir output', () => {
  it('prints lines, one JSON document, or a file', async () => {
    const input = await server.writeInput('output.jsonl', ['fast-model'], 7);
    const { id } = await server.json(['submit', input, ...NOW, '--watch']);
    const lines = (await server.run(['output', id])).out.trimEnd().split('\n');
    expect(lines).toHaveLength(7);
    const document = await server.json<Lines>(['output', id]);
    expect(document).toMatchObject({ object: 'list', batch_id: id, incomplete: false });
    expect(document.data.map((line) => JSON.stringify(line))).toEqual(lines);
    const path = join(server.folder, 'saved.jsonl');
    const saved = await server.json<{ bytes: number }>(['output', id, '--out', path]);
    expect(saved).toMatchObject({ path, lines: 7, incomplete: false });
    expect((await readFile(path, 'utf8')).trimEnd().split('\n')).toEqual(lines);
    expect((await readFile(path)).byteLength).toBe(saved.bytes);
  });

  it('says when lines are still missing, and follows until Ctrl-C', async () => {
    const input = await server.writeInput('running.jsonl', ['fast-model', 'stuck-model'], 2);
    const { id } = await server.json(['submit', input, ...NOW]);
    const terminal = recordTerminal({ environment: server.environment });
    const following = main(['output', id, '--follow'], terminal);
    await expect.poll(() => terminal.outText, { timeout: 10_000 }).toContain('"custom_id":"line-0"');
    terminal.interrupt();
    expect(await following).toBe(130);
    const now = await server.run(['output', id]);
    expect(now.notes).toContain('The batch still runs');
    expect((await server.json<Lines>(['output', id])).incomplete).toBe(true);
    await server.run(['cancel', id]);
  });

  it('lets no custom id run a terminal, and keeps its meaning', async () => {
    const path = join(server.folder, 'escapes.jsonl');
    const customId = 'a\x1b[2J\u009b31m\u202eb';
    const body = { model: 'broken-model', messages: [{ role: 'user', content: 'x' }] };
    await writeFile(path, JSON.stringify({ custom_id: customId, method: 'POST', url: '/v1/chat/completions', body }));
    const submitted = await server.run(['submit', path, ...NOW, '--watch', '--json']);
    const { id } = JSON.parse(submitted.out);
    const shown = await server.run(['status', id]);
    expect(shown.out).toContain('a\\u{1b}[2J\\u{9b}31m\\u{202e}b');
    const output = await server.run(['output', id], { isTty: true });
    for (const control of ['\x1b', '\u009b', '\u202e']) expect(output.out).not.toContain(control);
    expect(JSON.parse(output.out).custom_id).toBe(customId);
  });
});
