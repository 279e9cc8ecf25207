import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readCount, readPairs, readRoute } from '../../src/runtime/cli/arguments.ts';
import { columnsOf } from '../../src/runtime/cli/printable.ts';
import { nodeProblem } from '../../src/runtime/cli/version.ts';
import { temporaryFolder } from '../e2e/weir.ts';
import { unusedUrl } from './cli-server.ts';
import { runCli } from './cli-terminal.ts';

describe('a command line that cannot work', () => {
  it.each([
    [['frobnicate'], 'weir has no command frobnicate.'],
    [['stauts'], 'Did you mean status?'],
    [['submit'], 'FILE is missing.'],
    [['submit', 'a.jsonl', 'b.jsonl'], 'One argument too many: b.jsonl.'],
    [['submit', 'a.jsonl', '--wach'], 'There is no option --wach. Did you mean --watch?'],
    [['submit', 'a.jsonl', '--route'], '--route needs a value.'],
    [['submit', 'a.jsonl', '--route', '--watch'], '--route needs a value.'],
    [['submit', 'a.jsonl', '--route=a', '--route=b'], '--route is given twice.'],
    [['submit', 'a.jsonl', '--watch=yes'], '--watch takes no value.'],
    [['submit', 'a.jsonl', '--metadata', 'novalue'], '--metadata needs name=value, not novalue.'],
    [['submit', 'a.jsonl', '--metadata', 'a=1', '--metadata', 'a=2'], '--metadata names a twice.'],
    [['submit', 'a.jsonl', '--route', '{broken'], '--route starts with { but is no JSON.'],
    [['submit', 'no-such-file.jsonl'], 'There is no file no-such-file.jsonl.'],
    [['submit', 'package.json', '--endpoint', '/v1/poems'], '--endpoint must be one of /v1/chat/completions'],
    [['submit', 'package.json', '--output', 'no/such/folder/out'], 'its folder is missing or read-only'],
    [['submit', 'package.json'], 'Line 1 of package.json is no JSON in UTF-8.'],
    [['status', '--watch'], '--watch needs a batch id.'],
    [['status', '--limit', '0'], '--limit needs a whole number from 1 to 100.'],
    [['ledger', '--format', 'xml'], '--format must be one of table, json, csv, jsonl, parquet.'],
    [['ledger', '--entries', '--group-by', 'model'], 'leave --group-by out'],
    [['keys', 'frob'], 'weir keys has no command frob.'],
    [['--json'], 'There is no option --json.'],
  ])('%j ends with 2 and says what to change', async (argv, message) => {
    const ran = await runCli(argv);
    expect(ran.notes).toContain(message);
    expect(ran.notes).not.toContain('should not');
    expect(ran.exitCode).toBe(2);
  });

  it('says so in JSON too when JSON is asked for', async () => {
    const ran = await runCli(['status', '--limit', 'x', '--json']);
    expect(ran.exitCode).toBe(2);
    expect(JSON.parse(ran.out)).toEqual({
      error: { message: '--limit needs a whole number from 1 to 100.', type: 'wrong_use', param: 'limit', code: null },
    });
  });

  it('names a WEIR_URL that is none', async () => {
    const ran = await runCli(['status'], { environment: { WEIR_URL: 'localhost:8787' } });
    expect(ran.exitCode).toBe(2);
    expect(ran.notes).toContain('WEIR_URL: must be an http(s) URL');
  });

  it.each([
    ['compressed.jsonl.gz', gzipSync('{}'), 'is compressed: unpack it first.'],
    ['utf-16.jsonl', Buffer.from('\ufeff{"a":1}', 'utf16le'), 'is in UTF-16: save it as UTF-8.'],
    ['array.json', Buffer.from('[\n{"custom_id":"a"},\n{"custom_id":"b"}]\n'), 'holds a JSON array.'],
    ['array-line.json', Buffer.from('[{"custom_id":"a"}]'), 'holds a JSON array.'],
    ['pretty.json', Buffer.from('{\n  "custom_id": "a"\n}\n'), 'is no JSON in UTF-8. A batch file has one JSON'],
  ])('says what %s is in place of a batch file', async (name, bytes, message) => {
    const path = join(await temporaryFolder(), name);
    await writeFile(path, bytes);
    const ran = await runCli(['submit', path]);
    expect(ran.exitCode).toBe(2);
    expect(ran.notes.replaceAll(path, name)).toContain(`${name} ${message}`);
  });

  it('says so where https is asked of a server that speaks http', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const ran = await runCli(['status'], { environment: { WEIR_URL: `https://127.0.0.1:${port}` } });
    server.close();
    expect(ran.exitCode).toBe(3);
    expect(ran.notes).toBe(
      `weir: What listens at https://127.0.0.1:${port} does not speak https. Set WEIR_URL to http://127.0.0.1:${port}.\n`,
    );
  });

  it('without a server ends with 3 and says how to start one', async () => {
    const url = await unusedUrl();
    const ran = await runCli(['status'], { environment: { WEIR_URL: url } });
    expect(ran.exitCode).toBe(3);
    expect(ran.notes).toContain(`Weir does not answer at ${url} (connection refused). Start it with npm start`);
  });
});

describe('help', () => {
  const names = [
    'serve',
    'demo',
    'submit',
    'status',
    'output',
    'estimate',
    'cancel',
    'pause',
    'resume',
    'retry',
    'ledger',
    'models',
  ];
  const paths = [
    '',
    ...names,
    'keys',
    'keys create',
    'keys limit',
    'keys list',
    'keys revoke',
    'budgets create',
    'budgets update',
    'doctor',
  ];

  it.each(paths)('of weir %s fits 80 columns', async (path) => {
    const ran = await runCli([...path.split(' '), '--help'].filter((word) => word !== ''));
    expect(ran.exitCode).toBe(0);
    expect(ran.out).toContain(`Usage  weir ${path}`);
    for (const line of ran.out.split('\n')) expect(columnsOf(line)).toBeLessThanOrEqual(80);
  });

  it('is what weir alone, weir keys and weir help show', async () => {
    expect(await runCli([])).toMatchObject({ exitCode: 2, out: '' });
    expect((await runCli([])).notes).toContain('Commands');
    expect((await runCli(['keys'])).notes).toContain('revoke');
    expect((await runCli(['help', 'submit'])).out).toContain('--metadata <k=v>');
  });

  it('has colours on a terminal only', async () => {
    expect((await runCli(['--help'])).out).not.toContain('\x1b');
    expect((await runCli(['--help'], { isTty: true })).out).toContain('\x1b[1mUsage');
  });

  it('comes with a version', async () => {
    expect((await runCli(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('values', () => {
  it('keep everything behind the first equals sign', () => {
    expect(readPairs(['a=b=c', 'empty='], 'metadata')).toEqual({ a: 'b=c', empty: '' });
    expect(readPairs(['__proto__=x'], 'metadata')).toEqual(Object.fromEntries([['__proto__', 'x']]));
  });

  it('are whole numbers within bounds', () => {
    expect(readCount('20', 'limit', 100)).toBe(20);
    expect(() => readCount('1e1', 'limit', 100)).toThrow('--limit needs a whole number from 1 to 100.');
    expect(() => readCount('101', 'limit', 100)).toThrow('--limit');
  });

  it('name a route, or are one', () => {
    expect(readRoute('mini')).toBe('mini');
    expect(readRoute('{"provider":"a"}')).toEqual({ provider: 'a' });
  });
});

describe('Node.js', () => {
  it('is refused in one sentence when it is too old', () => {
    expect(nodeProblem('20.20.2')).toContain('Weir needs Node.js 22.19.0 or newer; this is 20.20.2.');
    expect(nodeProblem('22.18.0')).not.toBeNull();
    expect([nodeProblem('22.19.0'), nodeProblem('24.0.0'), nodeProblem('100.1.0')]).toEqual([null, null, null]);
  });
});
