import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../src/runtime/cli/main.ts';
import { recordTerminal } from './cli-terminal.ts';

/** Enough of a file, and of a batch. */
const CREATED = { id: 'id_1', status: 'completed', request_counts: { total: 1 } };
const LINE = '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[]}}\n';

let folder: string;
let url: string;
/** What the server does with a request. */
let serve: (request: IncomingMessage, response: ServerResponse) => void;
const server = createServer((request, response) => serve(request, response));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-interrupted-'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

/** A command line that runs until its end or a Ctrl-C. */
function start(argv: readonly string[]) {
  const terminal = recordTerminal({ environment: { WEIR_URL: url, WEIR_API_KEY: 'k' } });
  return { terminal, exitCode: main(argv, terminal) };
}

describe('a file that a command writes', () => {
  const commands = ['ledger --entries --format csv', 'output batch_1', 'output batch_1 --follow'];

  it.each(commands)('is not there, nor a part of it, after Ctrl-C in weir %s', async (command) => {
    const path = join(folder, 'rows');
    await writeFile(path, 'of an earlier run\n');
    serve = (_request, response) => {
      response.write('half a line');
      void appeared(join(folder, 'rows.partial')).then(() => run.terminal.interrupt());
    };
    const run = start([...command.split(' '), '--out', path]);
    expect(await run.exitCode).toBe(130);
    expect(await readdir(folder)).toEqual(['rows']);
    expect(await readFile(path, 'utf8')).toBe('of an earlier run\n');
    expect(run.terminal.notesText).toBe(`weir: Stopped; ${path} was not written.\n`);
  });

  it.each(commands)('is not there where the answer breaks off in weir %s', async (command) => {
    const path = join(folder, 'rows');
    serve = (_request, response) => {
      response.write('half a line');
      void appeared(join(folder, 'rows.partial')).then(() => response.destroy());
    };
    const run = start([...command.split(' '), '--out', path]);
    expect(await run.exitCode).toBe(3);
    expect(await readdir(folder)).toEqual([]);
    expect(run.terminal.notesText).toMatch(/^weir: The answer broke off \(.+\); .+ was not written\. Ask again\.\n$/);
  });
});

/** Resolves once the file has something in it. */
async function appeared(path: string): Promise<void> {
  await expect.poll(() => readFile(path, 'utf8').catch(() => ''), { interval: 10, timeout: 10_000 }).not.toBe('');
}

describe('weir submit, at Ctrl-C', () => {
  async function submitUntil(stop: (path: string) => boolean) {
    const input = join(folder, 'in.jsonl');
    await writeFile(input, LINE);
    serve = (request, response) => {
      request.resume().once('end', () => {
        if (stop(request.url ?? '')) run.terminal.interrupt();
        else response.setHeader('content-type', 'application/json').end(JSON.stringify(CREATED));
      });
    };
    const run = start(['submit', input, '--window', 'immediate']);
    return { exitCode: await run.exitCode, notes: run.terminal.notesText };
  }

  it('does not say that nothing was created once the whole file was sent', async () => {
    const { exitCode, notes } = await submitUntil((path) => path === '/v1/files');
    expect(exitCode).toBe(130);
    expect(notes).not.toContain('nothing was created');
    expect(notes).toContain('the file may be there already');
  });

  it('says that the batch may run where it was asked for', async () => {
    const { exitCode, notes } = await submitUntil((path) => path === '/v1/batches');
    expect(exitCode).toBe(130);
    expect(notes).toContain('its batch may be there already');
    expect(notes).toContain('The file is uploaded as id_1.');
  });
});
