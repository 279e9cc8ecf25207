import { once } from 'node:events';
import { mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { chatLines, spawnWeir, splitConfig, submit, temporaryFolder, type WeirProcess, waitForBatch } from './weir.ts';

const LINES = 400;
const HELD = 20;
const AHEAD_LINES = 200;
/** Characters of an answer: what is written in pieces shows on the disk. */
const ANSWER = 10_000;

/** Answers at once, but for the last lines of each batch, which it keeps until it is told to go on. */
async function startHoldingServer() {
  let held: ServerResponse[] | null = [];
  const usage = { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 };
  const message = { role: 'assistant', content: 'so '.repeat(ANSWER / 3) };
  const choices = [{ index: 0, message, logprobs: null, finish_reason: 'stop' }];
  const answer = { id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'gpt-4o-mini', choices, usage };
  const end = (response: ServerResponse) => response.end(JSON.stringify(answer));
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    response.setHeader('content-type', 'application/json');
    if (held !== null && text.includes('"user":"held"')) held.push(response);
    else end(response);
  };
  const server = createServer((request, response) => void take(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    goOn() {
      for (const response of held ?? []) end(response);
      held = null;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

describe('the files of a large batch', () => {
  let pool: Awaited<ReturnType<typeof startHoldingServer>>;
  let weir: WeirProcess;
  let folder: string;

  afterEach(async () => {
    await weir?.kill();
    pool?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Bytes of each file that is being written. */
  const unfinished = async (): Promise<number[]> => {
    const directory = join(folder, 'data/files/.unfinished');
    const names = await readdir(directory);
    const sizes = names.map(async (name) => (await stat(join(directory, name)).catch(() => null))?.size ?? 0);
    return Promise.all(sizes);
  };
  const large = async (count: number): Promise<void> => {
    const isThere = async () => (await unfinished()).filter((bytes) => bytes > 1e6).length === count;
    for (const deadline = Date.now() + 60_000; !(await isThere()); ) {
      if (Date.now() > deadline) throw new Error(`files that are being written: ${await unfinished()}`);
      await new Promise((wake) => setTimeout(wake, 50));
    }
  };

  /** The numbers of the requests in a batch's files, in their order, once it has ended. */
  const idsOf = async (id: string) => {
    const { status, output_file_id, error_file_id } = await waitForBatch(weir, id, { seconds: 60 });
    const read = async (file: string | null | undefined): Promise<number[]> => {
      if (file == null) return [];
      const text = await (await weir.client.files.content(file)).text();
      return text
        .split('\n')
        .flatMap((line) => /"custom_id":"request-(\d+)"/.exec(line)?.[1] ?? [])
        .map(Number);
    };
    return { status, output: await read(output_file_id), errors: await read(error_file_id) };
  };

  it('are begun while its last lines still run, are whole where it is cancelled, too, and leave nothing behind', async () => {
    pool = await startHoldingServer();
    folder = await temporaryFolder();
    const config = join(folder, 'weir.json');
    const limits = { concurrency: 128, adaptive: false };
    const settings = { ahead_lines: AHEAD_LINES, segment_lines: 50, part_lines: 20 };
    await writeFile(config, JSON.stringify(splitConfig([pool.baseUrl], [1], { limits, settings })));
    const directory = join(folder, 'data/files/.unfinished');
    await mkdir(directory, { recursive: true });
    const ofCrash = join(directory, 'of-a-crash');
    await writeFile(ofCrash, 'x');
    const before = new Date(Date.now() - 60_000);
    await utimes(ofCrash, before, before);
    weir = await spawnWeir(config, join(folder, 'data'));

    const input = chatLines(LINES, (index) => (index < LINES - HELD ? {} : { user: 'held' }));
    const [ending, cancelled] = [await submit(weir, input, { config: 'split' }), await submit(weir, input)];
    await large(2);
    await weir.client.batches.cancel(cancelled.id);
    pool.goOn();
    const [ended, stopped] = [await idsOf(ending.id), await idsOf(cancelled.id)];
    expect(ended).toEqual({ status: 'completed', output: numbers(0, LINES), errors: [] });
    const kept = new Set(stopped.output);
    expect(kept.size).toBeGreaterThanOrEqual(AHEAD_LINES / 2);
    const isKept = (each: number): boolean => kept.has(each);
    expect(stopped).toEqual({
      status: 'cancelled',
      output: numbers(0, LINES).filter(isKept),
      errors: numbers(0, LINES).filter((each) => !isKept(each)),
    });
    expect(await readdir(directory)).toEqual([]);
  }, 90_000);
});
