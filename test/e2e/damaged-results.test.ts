import { open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { BatchRequest } from '../../src/protocol/batch-request.ts';
import type { OutputLine } from '../../src/protocol/result-line.ts';
import { storedObject } from '../files/stored-object.ts';
import { assertInvariants, readOutput } from './invariants.ts';
import {
  chatLines,
  type Pools,
  spawnWeir,
  splitConfig,
  startPools,
  submit,
  temporaryFolder,
  type WeirProcess,
  waitForBatch,
} from './weir.ts';

const LINES = 120;
const PART_LINES = 10;

interface Part {
  path: string;
  /** Its records, without line feeds, in the order they stand there. */
  records: Buffer[];
  ids: string[];
}

async function partsOf(folder: string, id: string): Promise<Part[]> {
  const parts = join(folder, 'data/files/batches', id, 'parts');
  return Promise.all(
    (await readdir(parts)).sort().map(async (name) => {
      const path = join(parts, name);
      const bytes = await readFile(path);
      const records: Buffer[] = [];
      for (let at = 0; bytes[at] === 0x7b; ) {
        const end = bytes.indexOf(0x0a, at);
        records.push(bytes.subarray(at, end));
        at = end + 1;
      }
      const ids = records.map((record) => (JSON.parse(record.toString()) as OutputLine).custom_id);
      return { path, records, ids };
    }),
  );
}

async function overwrite(path: string, at: number, bytes: Buffer): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, at < 0 ? (await file.stat()).size + at : at);
  await file.close();
}

describe('files that are deleted or damaged on the disk', () => {
  let pools: Pools;
  let weir: WeirProcess;
  let folder: string;

  afterEach(async () => {
    await weir?.kill();
    await pools?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const server0 = () => pools.servers[0] as Pools['servers'][number];
  const start = async (): Promise<void> => {
    weir = await spawnWeir(join(folder, 'weir.json'), join(folder, 'data'));
  };

  async function begin(input: string, latencyMs = 0): Promise<string> {
    const server = { models: ['gpt-4o-mini'], count_by: { path: 'messages.0.content' } as const };
    pools = await startPools([{ ...server, latency_ms: latencyMs }]);
    folder = await temporaryFolder();
    const settings = { part_lines: PART_LINES, part_delay_ms: 20, lease_seconds: 5, unreadable_seconds: 0 };
    const config = splitConfig([server0().baseUrl], [1], { limits: { concurrency: 4 }, settings });
    await writeFile(join(folder, 'weir.json'), JSON.stringify(config));
    await start();
    return (await submit(weir, input, { config: 'split' })).id;
  }

  it('of results: the batch ends, what was lost is an error that says so and was paid, and is not sent again', async () => {
    const input = chatLines(LINES);
    const id = await begin(input);
    await waitForBatch(weir, id, { until: (batch) => (batch.request_counts?.completed ?? 0) >= LINES / 2, everyMs: 5 });
    server0().configure({ rate_hang: 1 });
    const { counters } = server0();
    await waitForBatch(weir, id, {
      until: (batch) => counters.received - counters.running === batch.request_counts?.completed,
    });
    await weir.kill();

    const [gone, cut, blanked, flipped] = (await partsOf(folder, id)).sort(
      (one, other) => other.ids.length - one.ids.length,
    ) as [Part, Part, Part, Part];
    await rm(gone.path);
    await truncate(cut.path, (cut.records[0]?.length ?? 0) + 20);
    // As after a power cut: the last block was never written. Its records are all there.
    await overwrite(blanked.path, -40, Buffer.alloc(40));
    const letter = (flipped.records[0]?.indexOf('"content":"') ?? 0) + '"content":"'.length;
    await overwrite(flipped.path, letter, Buffer.from('~'));
    const lost = new Set([...gone.ids, ...cut.ids.slice(1), flipped.ids[0]]);

    server0().configure({ rate_hang: 0 });
    await start();
    const ended = await waitForBatch(weir, id, { seconds: 30 });
    expect(ended.status).toBe('completed');
    const { errors, lines, entries } = await assertInvariants(weir, id, input);
    expect(new Set(errors.map((line) => line.custom_id))).toEqual(lost);
    for (const line of errors) expect(line).toMatchObject({ response: null, error: { code: 'result_lost' } });
    for (const line of lines.filter((each) => lost.has(each.custom_id))) {
      expect(line.weir).toMatchObject({ attempts: 1, cost_nano_usd: expect.any(Number) });
      expect(line.weir.cost_nano_usd).toBeGreaterThan(0);
      const paid = entries.filter((entry) => entry.custom_id === line.custom_id);
      expect(paid).toMatchObject([{ status: 'succeeded' }]);
    }
    const answered = [...counters.answered_by_custom].filter(([, count]) => count > 1);
    expect(answered).toEqual([]);

    const failed = await weir.call<{ data: BatchRequest[] }>(`/v1/batches/${id}/requests?limit=100`);
    const told = failed.data.filter(({ status }) => status === 'failed').map((each) => each.custom_id);
    expect(new Set(told)).toEqual(lost);
    const again = await weir.call<{ id: string }>(`/v1/batches/${id}/retry`, { method: 'POST' });
    const retried = await waitForBatch(weir, again.id, { seconds: 30 });
    expect(retried.request_counts).toEqual({ total: lost.size, completed: lost.size, failed: 0 });
  }, 90_000);

  it('of the input (its content, or its plan) while batches run: they stop, and keep what was done', async () => {
    const input = chatLines(LINES);
    // So slow that the first is not done before the second has begun.
    const ids = [await begin(input, 100), (await submit(weir, input, { config: 'split' })).id];
    for (const id of ids) {
      await waitForBatch(weir, id, {
        until: (batch) => (batch.request_counts?.completed ?? 0) >= LINES / 4,
        everyMs: 5,
      });
    }
    server0().configure({ rate_hang: 1 });
    const inputs = await Promise.all(ids.map(async (id) => (await weir.client.batches.retrieve(id)).input_file_id));
    await weir.kill();
    const files = join(folder, 'data/files/files');
    await rm(await storedObject(files, inputs[0] ?? '', 'content'));
    await rm(await storedObject(files, inputs[1] ?? '', 'plan'));
    const [gone] = (await partsOf(folder, ids[0] ?? '')) as [Part];
    await rm(gone.path);
    await start();
    for (const id of ids) {
      const ended = await waitForBatch(weir, id, { seconds: 40 });
      expect(ended.status).toBe('cancelled');
      expect(ended.errors?.data).toMatchObject([{ code: 'input_lost', param: 'input_file_id' }]);
      expect(ended.request_counts?.total).toBe(LINES);
      const done = (await partsOf(folder, id)).flatMap((part) => part.ids);
      const lines = await readOutput(weir, id);
      expect(lines).toHaveLength(LINES);
      const good = lines.filter((line) => line.error === null).map((line) => line.custom_id);
      expect(done).toEqual(expect.arrayContaining(good));
      expect(ended.request_counts?.completed).toBe(good.length);
      const lost = id === ids[0] ? gone.ids : [];
      expect(good.length + lost.length).toBeGreaterThanOrEqual(LINES / 4);
      // The ledger knows whose results they were, and all say where the line stood.
      const told = lines.filter(({ error }) => error?.code === 'result_lost').map((line) => line.custom_id);
      expect(new Set(told)).toEqual(new Set(lost));
      for (const { error, weir: details } of lines.filter((each) => each.error !== null)) {
        expect(['input_lost', 'result_lost']).toContain(error?.code);
        expect(error?.message).toMatch(new RegExp(`line ${details.line} of the input file`, 'i'));
      }
      const texts = [ended.output_file_id, ended.error_file_id].map(async (file) =>
        (await weir.client.files.content(file ?? '')).text(),
      );
      expect((await Promise.all(texts)).join('').trimEnd().split('\n')).toHaveLength(LINES);
    }
  }, 90_000);

  it('of an ended batch: the download says what is wrong with the file, and where the results still are', async () => {
    const input = chatLines(20);
    const id = await begin(input);
    const { output_file_id: fileId } = await waitForBatch(weir, id);
    await assertInvariants(weir, id, input);
    const path = join(folder, 'data/files/files', fileId ?? '');
    const download = (range = {}) =>
      fetch(`${weir.url}/v1/files/${fileId}/content`, {
        headers: { authorization: `Bearer ${weir.client.apiKey}`, ...range },
      });
    await truncate(path, 1_000);
    for (const asked of [{}, { range: 'bytes=10-20' }]) {
      const damaged = await download(asked);
      expect(damaged.status).toBe(500);
      expect(await damaged.json()).toMatchObject({
        error: { code: 'content_damaged', message: expect.stringContaining(`/v1/batches/${id}/output`) },
      });
    }
    await rm(path);
    const gone = await download();
    expect(gone.status).toBe(410);
    expect(await gone.json()).toMatchObject({ error: { code: 'content_gone' } });
    expect(await readOutput(weir, id)).toHaveLength(20);
    await weir.client.files.delete(fileId ?? '');
    expect((await download()).status).toBe(404);
  }, 60_000);
});
