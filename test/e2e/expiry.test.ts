import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@libsql/client';
import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  type Pools,
  splitConfig,
  startPools,
  startWeir,
  submit,
  temporaryFolder,
  type Weir,
  waitForBatch,
} from './weir.ts';

const MODEL = { models: ['gpt-4o-mini'], count_by: { path: 'messages.0.content' } as const };
/** Longer than any machine takes to send the first lines: the tests end it then. */
const WINDOW_SECONDS = 60;
const CONCURRENCY = 4;

describe('the end of the completion window', () => {
  let pools: Pools;
  let weir: Weir;
  let folder: string;
  let config: object;
  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** The window of every batch is over from now on, once so many calls have reached the server. */
  async function endWindow(calls = CONCURRENCY): Promise<void> {
    await expect.poll(() => server0().counters.received, { timeout: 20_000 }).toBeGreaterThanOrEqual(calls);
    const database = createClient({ url: `file:${join(folder, 'weir.db')}`, timeout: 5_000 });
    await database.execute('update batches set expires_at = unixepoch()');
    database.close();
  }

  async function open(
    server: Parameters<typeof startPools>[0][number],
    extra: { limits?: object; price?: object; settings?: object } = {},
  ): Promise<void> {
    pools = await startPools([{ ...MODEL, ...server }]);
    const settings = { immediate_window_seconds: WINDOW_SECONDS, ...extra.settings };
    config = splitConfig([server0().baseUrl], [1], { limits: { concurrency: CONCURRENCY }, ...extra, settings });
    folder = await temporaryFolder();
    weir = await startWeir(config, { folder });
  }

  const server0 = () => pools.servers[0] as Pools['servers'][number];

  it('delivers the lines that were done or in flight, the rest is batch_expired, and what was billed is settled', async () => {
    await open({ latency_ms: 100 });
    const input = chatLines(200);
    const created = await submit(weir, input);
    expect(created.expires_at).toBe(created.created_at + WINDOW_SECONDS);
    await endWindow(2 * CONCURRENCY);
    const ended = await waitForBatch(weir, created.id);
    expect(ended.status).toBe('expired');
    const { batch, output, errors, entries } = await assertInvariants(weir, created.id, input);
    expect(output.length).toBeGreaterThan(0);
    expect(output).toHaveLength(server0().counters.received);
    expect(entries).toHaveLength(output.length);
    expect(errors).toHaveLength(200 - output.length);
    for (const line of errors) expect(line).toMatchObject({ response: null, error: { code: 'batch_expired' } });
    expect(batch.cost.amount_nano_usd).toBeGreaterThan(0);
    expect(batch).toMatchObject({ completed_at: null, cancelled_at: null, failed_at: null });
    expect(batch.expired_at).toBeGreaterThanOrEqual(batch.expires_at ?? 0);
  });

  it('waits for slow answers within the drain time, and delivers them', async () => {
    await open({ latency_ms: 2500 });
    const input = chatLines(10);
    const { id } = await submit(weir, input);
    await endWindow();
    expect((await waitForBatch(weir, id)).status).toBe('expired');
    const { output } = await assertInvariants(weir, id, input);
    expect(output).toHaveLength(4);
    expect(server0().counters.received).toBe(4);
  });

  it('gives a hung server up after the drain time: expired, and each call in the ledger as unknown', async () => {
    await open({ rate_hang: 1 }, { settings: { drain_seconds: 1 } });
    const input = chatLines(10);
    const { id } = await submit(weir, input);
    await endWindow();
    const ended = await waitForBatch(weir, id);
    expect(ended).toMatchObject({ status: 'expired', output_file_id: null });
    const { entries, batch } = await assertInvariants(weir, id, input);
    expect(entries.map((entry) => entry.status)).toEqual(Array(4).fill('unknown'));
    expect(batch.cost).toMatchObject({ amount_nano_usd: 0, unpriced_entries: 4 });
  });

  it('does not deliver answers that come after the drain time, and keeps their calls in the ledger', async () => {
    await open({ latency_ms: 60_000 }, { settings: { drain_seconds: 1 } });
    const input = chatLines(10);
    const { id } = await submit(weir, input);
    await endWindow();
    await waitForBatch(weir, id);
    const before = await assertInvariants(weir, id, input);
    expect(before.output).toEqual([]);
    expect(before.entries).toHaveLength(4);
    await waitForBatch(weir, id, { until: () => server0().counters.running === 0 });
    const after = await assertInvariants(weir, id, input);
    expect(after.batch).toEqual(before.batch);
    expect(after.entries).toEqual(before.entries);
  });

  it('with a pool that is paid by the hour: the time of given-up calls is paid for, to the nano-dollar', async () => {
    await open(
      { latency_ms: { min: 5, max: 60 } },
      { settings: { drain_seconds: 1 }, price: { gpu_hour: 2.5, gpus: 1 } },
    );
    const input = chatLines(300);
    const { id } = await submit(weir, input);
    await expect.poll(() => server0().counters.received, { timeout: 20_000 }).toBeGreaterThanOrEqual(40);
    server0().configure({ rate_hang: 1 });
    await endWindow(server0().counters.received + 1);
    await waitForBatch(weir, id);
    const { lines, entries } = await assertInvariants(weir, id, input);
    const given = entries.filter((entry) => entry.status === 'unknown');
    expect(given.length).toBeGreaterThan(0);
    expect(given.every((entry) => Number(entry.amount_nano_usd) > 0)).toBe(true);
    const paid = lines.filter((line) => line.error?.code === 'batch_expired' && Number(line.weir.cost_nano_usd) > 0);
    expect(paid).toHaveLength(given.length);
  });

  it('a batch in time is completed, though its window ends while it is read', async () => {
    await open({ latency_ms: 5 });
    const input = chatLines(20);
    const { id } = await submit(weir, input);
    const ended = await waitForBatch(weir, id);
    expect(ended.status).toBe('completed');
    await endWindow();
    // Two rounds of the server's work.
    await new Promise((wake) => setTimeout(wake, 2_000));
    expect(await weir.client.batches.retrieve(id)).toEqual({ ...ended, expires_at: expect.any(Number) });
    await assertInvariants(weir, id, input);
  });

  it('refused lines keep their own error', async () => {
    await open({ latency_ms: 200 });
    const input = chatLines(60, (index) => (index % 2 === 0 ? { model: 'nobody-has-it' } : {}));
    const { id } = await submit(weir, input);
    await endWindow();
    await waitForBatch(weir, id);
    const { errors } = await assertInvariants(weir, id, input);
    const refused = errors.filter((line) => line.error?.code === 'model_not_found');
    expect(refused).toHaveLength(30);
    expect(errors.some((line) => line.error?.code === 'batch_expired')).toBe(true);
  });

  it('is kept while the server is down: expired after the start, without another call', async () => {
    await open({ latency_ms: 50 });
    const input = chatLines(400);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, { until: () => server0().counters.received >= 8 });
    await weir.stop();
    const received = server0().counters.received;
    await endWindow();
    weir = await startWeir(config, { folder });
    expect((await waitForBatch(weir, id)).status).toBe('expired');
    const { output } = await assertInvariants(weir, id, input);
    expect(output).toHaveLength(received);
    expect(server0().counters.received).toBe(received);
  });

  it('of several batches at once: each is expired, none waits for another', async () => {
    await open({ latency_ms: 300 });
    const input = chatLines(50);
    const batches = await Promise.all([submit(weir, input), submit(weir, input), submit(weir, input)]);
    await endWindow();
    let delivered = 0;
    for (const { id } of batches) {
      expect((await waitForBatch(weir, id)).status).toBe('expired');
      delivered += (await assertInvariants(weir, id, input)).output.length;
    }
    expect(delivered).toBe(server0().counters.received);
  });
});
