import { afterEach, describe, expect, it } from 'vitest';
import { connectAs, refusalOf, start, upload } from './answers.ts';
import { assertInvariants, readEntries } from './invariants.ts';
import { chatLines, type Pools, splitConfig, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const MODEL = { models: ['gpt-4o-mini'], count_by: { path: 'messages.0.content' } as const };

describe('cancel', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  async function open(
    server: Parameters<typeof startPools>[0][number] = {},
    extra: Parameters<typeof splitConfig>[2] = {},
  ): Promise<void> {
    pools = await startPools([{ ...MODEL, ...server }]);
    weir = await startWeir(splitConfig([server0().baseUrl], [1], extra));
  }

  const server0 = () => pools.servers[0] as Pools['servers'][number];
  const received = (count: number) => ({ until: () => server0().counters.received >= count });

  it('while running: lines in flight are delivered, the rest is batch_cancelled, cancelling comes before cancelled', async () => {
    await open({ latency_ms: 400 }, { limits: { concurrency: 8 } });
    const input = chatLines(300);
    const batch = await submit(weir, input);
    await waitForBatch(weir, batch.id, received(8));
    const answer = await weir.client.batches.cancel(batch.id);
    expect(answer).toMatchObject({ status: 'cancelling', cancelled_at: null, output_file_id: null });
    expect(answer.cancelling_at).toBeGreaterThan(0);
    const ended = await waitForBatch(weir, batch.id);
    expect(ended.status).toBe('cancelled');
    const { output, errors, entries, lines } = await assertInvariants(weir, batch.id, input);
    expect(output.length).toBe(server0().counters.received);
    expect(output.length).toBeGreaterThanOrEqual(8);
    expect(output.length).toBeLessThan(32);
    expect(entries).toHaveLength(output.length);
    for (const line of errors) expect(line).toMatchObject({ response: null, error: { code: 'batch_cancelled' } });
    const rest = lines.find((line) => line.error !== null)?.weir;
    expect(rest).toMatchObject({ attempts: 0, cost_nano_usd: 0, provider: null });
  });

  it('while validating: every line is batch_cancelled, nothing is sent', async () => {
    await open();
    const input = chatLines(1000);
    const file = await upload(weir, input);
    // Cancels that arrive at once meet the batch before its lines are planned, or in the middle of it.
    for (let round = 0; round < 4; round++) {
      const { id } = await start(weir, file);
      await weir.client.batches.cancel(id);
      await waitForBatch(weir, id);
      const { batch } = await assertInvariants(weir, id, input);
      expect(batch).toMatchObject({ status: 'cancelled', request_counts: { total: 1000 } });
    }
  });

  it('while validating a file with bad lines: cancelled, without lines', async () => {
    await open();
    const file = await upload(weir, `${chatLines(2000)}null\n`);
    const { id } = await start(weir, file);
    const cancelled = await weir.client.batches.cancel(id).catch(() => null);
    const ended = await waitForBatch(weir, id);
    // Whichever came first is the answer; neither leaves it hanging.
    expect(ended.status).toBe(cancelled === null ? 'failed' : 'cancelled');
    expect(ended).toMatchObject({ output_file_id: null, error_file_id: null });
    expect(server0().counters.received).toBe(0);
  });

  it('twice, and after the end: 200, and nothing changes', async () => {
    await open({ latency_ms: 200 }, { limits: { concurrency: 4 } });
    const input = chatLines(50);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, received(4));
    const first = await weir.client.batches.cancel(id);
    const second = await weir.client.batches.cancel(id);
    expect(second).toMatchObject({ status: 'cancelling', cancelling_at: first.cancelling_at });
    const ended = await waitForBatch(weir, id);
    expect(await weir.client.batches.cancel(id)).toEqual(ended);
    await assertInvariants(weir, id, input);
  });

  it('ten cancels at once: one and the same answer', async () => {
    await open({ latency_ms: 100 }, { limits: { concurrency: 4 } });
    const input = chatLines(50);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, received(4));
    const answers = await Promise.all(Array.from({ length: 10 }, () => weir.client.batches.cancel(id)));
    expect(new Set(answers.map((answer) => answer.cancelling_at)).size).toBe(1);
    await waitForBatch(weir, id);
    await assertInvariants(weir, id, input);
  });

  it('of a completed batch: 409, and it stays completed', async () => {
    await open();
    const input = chatLines(3);
    const { id } = await submit(weir, input);
    const ended = await waitForBatch(weir, id);
    expect(await refusalOf(weir.client.batches.cancel(id))).toMatchObject({ status: 409 });
    expect(await weir.client.batches.retrieve(id)).toEqual(ended);
    await assertInvariants(weir, id, input);
  });

  it('of a failed batch: 409', async () => {
    await open();
    const { id } = await submit(weir, `${chatLines(1)}null\n`);
    await waitForBatch(weir, id);
    expect(await refusalOf(weir.client.batches.cancel(id))).toMatchObject({ status: 409 });
  });

  it('of an expired batch: 409', async () => {
    await open({ latency_ms: 300 }, { limits: { concurrency: 2 }, settings: { immediate_window_seconds: 1 } });
    const input = chatLines(100);
    const { id } = await submit(weir, input);
    const ended = await waitForBatch(weir, id);
    expect(ended.status).toBe('expired');
    expect(await refusalOf(weir.client.batches.cancel(id))).toMatchObject({ status: 409 });
    await assertInvariants(weir, id, input);
  });

  it('of no batch: 404', async () => {
    await open();
    expect(await refusalOf(weir.client.batches.cancel('batch_unknown'))).toMatchObject({ status: 404 });
  });

  it('racing with completion, many times: completed or cancelled, and the books balance either way', async () => {
    await open({ latency_ms: { min: 0, max: 10 } });
    const input = chatLines(60);
    const file = await upload(weir, input);
    const statuses = new Set<string>();
    for (let round = 0; round < 15; round++) {
      const { id } = await start(weir, file);
      const threshold = Math.round((round / 14) * 60);
      const before = server0().counters.received;
      await waitForBatch(weir, id, { until: () => server0().counters.received - before >= threshold });
      await weir.client.batches.cancel(id).catch((error: { status: number }) => expect(error.status).toBe(409));
      const { status } = await waitForBatch(weir, id);
      statuses.add(status);
      const { output, entries } = await assertInvariants(weir, id, input);
      expect(server0().counters.received - before, 'what was sent is delivered').toBe(output.length);
      expect(entries).toHaveLength(output.length);
      if (status === 'completed') expect(output).toHaveLength(60);
    }
    expect(statuses).toContain('cancelled');
  }, 60_000);

  it('while paused: cancelled at once, nothing more is sent', async () => {
    await open({ latency_ms: 50 }, { limits: { concurrency: 4 } });
    const input = chatLines(100);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, received(4));
    await weir.call(`/v1/batches/${id}/pause`, { method: 'POST' });
    await weir.client.batches.cancel(id);
    const ended = await waitForBatch(weir, id);
    expect(ended.status).toBe('cancelled');
    const { output, batch } = await assertInvariants(weir, id, input);
    expect(output).toHaveLength(server0().counters.received);
    expect(batch.paused).toBe(false);
  });

  it('while every answer is 429: cancelled at once, each try in the ledger', async () => {
    await open({ rate_429: 1 }, { limits: { concurrency: 4 } });
    const input = chatLines(20);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, received(3));
    await weir.client.batches.cancel(id);
    await waitForBatch(weir, id, { seconds: 5 });
    const { output, entries } = await assertInvariants(weir, id, input);
    expect(output).toEqual([]);
    expect(entries).toHaveLength(server0().counters.received);
  });

  it('of a server that never answers: cancelled after the drain time, each call in the ledger as unknown', async () => {
    await open({ rate_hang: 1 }, { limits: { concurrency: 4 }, settings: { drain_seconds: 1 } });
    const input = chatLines(20);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, received(4));
    await weir.client.batches.cancel(id);
    expect((await waitForBatch(weir, id, { seconds: 6 })).status).toBe('cancelled');
    const { output, entries } = await assertInvariants(weir, id, input);
    expect(output).toEqual([]);
    expect(entries.map((entry) => entry.status)).toEqual(['unknown', 'unknown', 'unknown', 'unknown']);
  });

  it('by an administrator of another tenant: the results stay with their owner', async () => {
    await open({ latency_ms: 200 }, { limits: { concurrency: 4 } });
    const alice = await connectAs(weir, 'alice');
    const input = chatLines(50);
    const { id } = await submit(alice, input);
    await waitForBatch(weir, id, received(4));
    await weir.client.batches.cancel(id);
    const ended = await waitForBatch(alice, id);
    await assertInvariants(alice, id, input);
    expect((await readEntries(alice, id)).every((entry) => entry.key_id === alice.keyId)).toBe(true);
    const mallory = await connectAs(weir, 'mallory');
    for (const file of [ended.output_file_id, ended.error_file_id]) {
      expect((await alice.client.files.retrieve(file ?? '')).id).toBe(file);
      expect(await refusalOf(mallory.client.files.content(file ?? ''))).toMatchObject({ status: 404 });
    }
    expect((await alice.client.files.list()).data.map((file) => file.id)).toContain(ended.output_file_id);
    expect((await weir.client.files.list()).data).toEqual([]);
  });
});
