import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { kinds } from '../../providers/registry.ts';
import { loadConfig } from '../../src/runtime/load.ts';
import { nodeDeps } from '../../src/runtime/node-deps.ts';
import { FIRST_SWEEP, sweep } from '../../src/services/sweep.ts';
import { ask, codeOf, post, refusalOf, start, upload } from './answers.ts';
import { assertInvariants, readOutput } from './invariants.ts';
import {
  chatLines,
  type Pools,
  splitConfig,
  startPools,
  startWeir,
  temporaryFolder,
  type Weir,
  waitForBatch,
} from './weir.ts';

const MARKER = 'marker-4711';
const input = chatLines(30, (index) => ({
  messages: [{ role: 'user', content: `${MARKER} Question ${index}:` }],
  ...(index % 10 === 9 && { model: 'nobody-has-it' }),
}));

describe('delete', () => {
  let pools: Pools;
  let weir: Weir;
  let folder: string;
  let config: object;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function open(server: Parameters<typeof startPools>[0][number] = {}): Promise<void> {
    pools = await startPools([{ models: ['gpt-4o-mini'], ...server }]);
    config = splitConfig([server0().baseUrl], [1], { limits: { concurrency: 4 }, retry: { attempts: 1 } });
    folder = await temporaryFolder();
    weir = await startWeir(config, { folder });
  }

  const server0 = () => pools.servers[0] as Pools['servers'][number];
  const received = (count: number) => ({ until: () => server0().counters.received >= count });

  /** The round of cleaning up that a running server makes every minute. */
  async function sweepNow(): Promise<void> {
    const loaded = await loadConfig({
      environment: { WEIR_DATA_DIR: folder },
      kinds,
      readText: () => Promise.resolve(JSON.stringify(config)),
    });
    const deps = await nodeDeps(loaded, true);
    await sweep(deps, FIRST_SWEEP);
    await deps.http.close();
    await deps.store.close();
  }

  /** Stored objects that hold the text. */
  async function holding(text: string): Promise<string[]> {
    const found: string[] = [];
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile() && (await readFile(path)).includes(text)) found.push(path.slice(folder.length + 1));
    }
    return found;
  }

  it('an input file while its batch runs: 404 for everyone at once, the batch is finished, then the bytes go', async () => {
    await open({ latency_ms: 100 });
    const file = await upload(weir, input);
    const { id } = await start(weir, file);
    await waitForBatch(weir, id, received(4));
    // The others are still to come after all that is asked here, however slow the machine is.
    server0().configure({ latency_ms: 5_000 });
    expect(await weir.client.files.delete(file)).toEqual({ id: file, object: 'file', deleted: true });
    expect(await refusalOf(weir.client.files.retrieve(file))).toMatchObject({ status: 404 });
    expect(await refusalOf(weir.client.files.content(file))).toMatchObject({ status: 404 });
    expect(await refusalOf(weir.client.files.delete(file))).toMatchObject({ status: 404 });
    expect(await refusalOf(start(weir, file))).toMatchObject({ status: 400, code: 'file_not_found' });
    expect((await weir.client.files.list()).data).toEqual([]);
    await sweepNow();
    expect(await holding(MARKER), 'the bytes stay while the batch needs them').toHaveLength(1);
    expect((await weir.client.batches.retrieve(id)).status).toBe('in_progress');
    server0().configure({ latency_ms: 0 });
    const ended = await waitForBatch(weir, id);
    expect(ended).toMatchObject({ status: 'completed', input_file_id: file });
    await assertInvariants(weir, id, input);
    await sweepNow();
    expect(await holding(MARKER)).toEqual([]);
    const { batch } = await assertInvariants(weir, id, input);
    expect(batch.request_counts).toEqual({ total: 30, completed: 27, failed: 3 });
  });

  it('an input file right after the create: the batch runs', async () => {
    await open();
    const file = await upload(weir, input);
    const { id } = await start(weir, file);
    await weir.client.files.delete(file);
    await sweepNow();
    expect((await waitForBatch(weir, id)).status).toBe('completed');
    await assertInvariants(weir, id, input);
  });

  it('an input file at any moment of its batch, with sweeps at the same time: every line is answered for', async () => {
    await open({ latency_ms: { min: 0, max: 10 } });
    for (let round = 0; round < 8; round++) {
      const file = await upload(weir, input);
      const before = server0().counters.received;
      const { id } = await start(weir, file);
      await waitForBatch(weir, id, { until: () => server0().counters.received - before >= (27 * round) / 7 });
      await Promise.all([weir.client.files.delete(file), sweepNow(), sweepNow()]);
      await waitForBatch(weir, id);
      await sweepNow();
      await assertInvariants(weir, id, input);
    }
    expect(await holding(MARKER)).toEqual([]);
  }, 180_000);

  it('the input file of a cancelled batch: its lines are still known, page by page', async () => {
    await open({ latency_ms: 100 });
    const file = await upload(weir, input);
    const { id } = await start(weir, file);
    await waitForBatch(weir, id, received(4));
    await weir.client.batches.cancel(id);
    await waitForBatch(weir, id);
    const before = await assertInvariants(weir, id, input);
    const requests = (await ask(weir, `/v1/batches/${id}/requests`)).body;
    await weir.client.files.delete(file);
    await sweepNow();
    expect(await assertInvariants(weir, id, input)).toEqual(before);
    expect((await ask(weir, `/v1/batches/${id}/requests`)).body).toEqual(requests);
    const cancelled = (await ask(weir, `/v1/batches/${id}/requests?status=cancelled&limit=3`)).body.data;
    expect(cancelled).toMatchObject([{ status: 'cancelled' }, { status: 'cancelled' }, { status: 'cancelled' }]);
    expect(codeOf(await post(weir, `/v1/batches/${id}/retry`))).toBe('file_gone');
  });

  it('the output file: no view of it is left, and no byte of it; batch and ledger stay', async () => {
    await open();
    server0().configure({ answer: () => 'secret-answer-0815' });
    const { id } = await start(weir, await upload(weir, input));
    const ended = await waitForBatch(weir, id);
    const { entries } = await assertInvariants(weir, id, input);
    expect((await holding('secret-answer-0815')).length).toBeGreaterThan(0);
    await weir.client.files.delete(ended.output_file_id ?? '');
    for (const path of ['output', 'output?follow=true', 'requests']) {
      const answer = await ask(weir, `/v1/batches/${id}/${path}`);
      expect([answer.status, codeOf(answer)]).toEqual([410, 'results_gone']);
    }
    expect(codeOf(await post(weir, `/v1/batches/${id}/retry`))).toBe('results_gone');
    await sweepNow();
    expect(await holding('secret-answer-0815')).toEqual([]);
    expect(await weir.client.batches.retrieve(id)).toEqual(ended);
    expect(await refusalOf(weir.client.files.content(ended.output_file_id ?? ''))).toMatchObject({ status: 404 });
    const ledger = await weir.call<{ data: unknown[] }>(`/v1/ledger/entries?batch=${id}&limit=1000`);
    expect(ledger.data).toHaveLength(entries.length);
  });

  it('the error file alone: the output goes on being readable', async () => {
    await open();
    const { id } = await start(weir, await upload(weir, input));
    const ended = await waitForBatch(weir, id);
    await assertInvariants(weir, id, input);
    await weir.client.files.delete(ended.error_file_id ?? '');
    await sweepNow();
    expect(await readOutput(weir, id)).toHaveLength(30);
  });

  it('a file while it is downloaded: the download goes on to its end', async () => {
    await open();
    const text = `${'x'.repeat(4_000_000)}\n`;
    const { id } = await weir.client.files.create({ file: new File([text], 'x.txt'), purpose: 'user_data' });
    const response = await fetch(`${weir.url}/v1/files/${id}/content`, {
      headers: { authorization: `Bearer ${weir.client.apiKey}` },
    });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let bytes = (await reader.read()).value?.length ?? 0;
    await weir.client.files.delete(id);
    await sweepNow();
    for (let next = await reader.read(); !next.done; next = await reader.read()) bytes += next.value.length;
    expect(bytes).toBe(text.length);
  });

  it('of no file: 404', async () => {
    await open();
    expect(await refusalOf(weir.client.files.delete('file-unknown'))).toMatchObject({ status: 404 });
  });
});
