import { rm } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { BatchObject } from '../../src/protocol/batch.ts';
import { codeOf, post } from './answers.ts';
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

describe('pause, resume and shutdown', () => {
  let pools: Pools;
  let weir: Weir;
  let folder: string | undefined;
  let config: object;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    folder = undefined;
  });

  async function open(
    server: Parameters<typeof startPools>[0][number] = {},
    extra: Parameters<typeof splitConfig>[2] = {},
  ): Promise<void> {
    pools = await startPools([{ ...MODEL, ...server }]);
    config = splitConfig([server0().baseUrl], [1], extra);
    folder = await temporaryFolder();
    weir = await startWeir(config, { folder });
  }

  async function restart(): Promise<void> {
    await weir.stop();
    weir = await startWeir(config, { folder: folder as string });
  }

  const server0 = () => pools.servers[0] as Pools['servers'][number];
  const received = (count: number) => ({ until: () => server0().counters.received >= count });
  const pause = (id: string) => weir.call<BatchObject>(`/v1/batches/${id}/pause`, { method: 'POST' });
  const resume = (id: string) => weir.call<BatchObject>(`/v1/batches/${id}/resume`, { method: 'POST' });

  /** Nothing was sent for this batch while another one went through the same pool from start to end. */
  async function expectSilence(): Promise<void> {
    const before = server0().counters.received;
    const other = chatLines(20, (index) => ({ messages: [{ role: 'user', content: `other ${before}/${index}` }] }));
    const { id } = await submit(weir, other);
    await waitForBatch(weir, id);
    expect(server0().counters.received).toBe(before + 20);
    await assertInvariants(weir, id, other);
  }

  async function expectEachOnce(id: string, input: string): Promise<void> {
    const ended = await waitForBatch(weir, id);
    expect(ended.status).toBe('completed');
    const { entries, output, lines } = await assertInvariants(weir, id, input);
    expect(entries).toHaveLength(output.length);
    expect(lines.every((line) => line.weir.attempts === 1)).toBe(true);
    const counts = [...server0().counters.by_custom.values()];
    expect(Math.max(...counts), 'no line was sent twice').toBe(1);
  }

  it('a paused batch delivers what is in flight and sends nothing new; resumed, it sends each of the rest once', async () => {
    await open({ latency_ms: 100 }, { limits: { concurrency: 8 } });
    const input = chatLines(100);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, received(8));
    expect(await pause(id)).toMatchObject({ status: 'in_progress', paused: true });
    const sent = server0().counters.received;
    await waitForBatch(weir, id, { until: (batch) => batch.request_counts?.completed === server0().counters.received });
    expect(server0().counters.received).toBeLessThan(sent + 9);
    await expectSilence();
    expect(await resume(id)).toMatchObject({ status: 'in_progress', paused: false });
    await expectEachOnce(id, input);
  });

  it('paused while validating: it is checked, and waits', async () => {
    await open();
    const input = chatLines(2000);
    const { id } = await submit(weir, input);
    const paused = await pause(id);
    await waitForBatch(weir, id, { until: (batch) => batch.status === 'in_progress' });
    await expectSilence();
    if (paused.status === 'validating') expect(server0().counters.received).toBe(20);
    expect(await weir.client.batches.retrieve(id)).toMatchObject({ paused: true, request_counts: { total: 2000 } });
    await resume(id);
    await expectEachOnce(id, input);
  });

  it('a file with a bad line, paused while validating: failed all the same', async () => {
    await open();
    const { id } = await submit(weir, `${chatLines(2)}null\n`);
    await post(weir, `/v1/batches/${id}/pause`);
    expect((await waitForBatch(weir, id)).status).toBe('failed');
  });

  it('paused twice, resumed twice: 200, and the same as once', async () => {
    await open({ latency_ms: 50 }, { limits: { concurrency: 4 } });
    const input = chatLines(40);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, received(4));
    for (let time = 0; time < 2; time++) expect((await pause(id)).paused).toBe(true);
    for (let time = 0; time < 2; time++) expect((await resume(id)).paused).toBe(false);
    await expectEachOnce(id, input);
  });

  it('an ended or cancelling batch: 409 batch_not_running; no batch: 404', async () => {
    await open({ latency_ms: 200 }, { limits: { concurrency: 2 } });
    const input = chatLines(20);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, received(2));
    await weir.client.batches.cancel(id);
    for (const verb of ['pause', 'resume']) {
      const answer = await post(weir, `/v1/batches/${id}/${verb}`);
      expect([answer.status, codeOf(answer)]).toEqual([409, 'batch_not_running']);
      expect((await post(weir, `/v1/batches/batch_unknown/${verb}`)).status).toBe(404);
    }
    await waitForBatch(weir, id);
    expect(codeOf(await post(weir, `/v1/batches/${id}/resume`))).toBe('batch_not_running');
    await assertInvariants(weir, id, input);
  });

  it('paused and resumed forty times while it runs: each line is sent once', async () => {
    await open({ latency_ms: { min: 1, max: 20 } }, { limits: { concurrency: 16 } });
    const input = chatLines(1500);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, received(1));
    for (let round = 0; round < 40; round++) {
      const verb = round % 2 === 0 ? pause : resume;
      const answer = await verb(id).catch(() => null);
      if (answer === null) break;
    }
    await expectEachOnce(id, input);
  });

  it('paused and resumed while a third of the calls is refused for load: every line is done, every call is in the ledger', async () => {
    await open({ latency_ms: { min: 1, max: 20 }, rate_429: 0.33 }, { limits: { concurrency: 16 } });
    const input = chatLines(120);
    const { id } = await submit(weir, input);
    for (let round = 0; round < 10; round++) {
      const counted = server0().counters.received;
      await pause(id);
      await resume(id);
      await waitForBatch(weir, id, {
        until: (batch) => batch.status !== 'in_progress' || server0().counters.received > counted + 3,
      });
      if ((await weir.client.batches.retrieve(id)).status !== 'in_progress') break;
    }
    const ended = await waitForBatch(weir, id);
    expect(ended.request_counts).toEqual({ total: 120, completed: 120, failed: 0 });
    const { entries } = await assertInvariants(weir, id, input);
    expect(entries).toHaveLength(server0().counters.received);
  });

  it('commits that outlast the delay between them: every line is committed all the same', async () => {
    await open({ latency_ms: { min: 1, max: 20 } }, { limits: { concurrency: 3 }, settings: { part_delay_ms: 1 } });
    const input = chatLines(80);
    const { id } = await submit(weir, input);
    await expectEachOnce(id, input);
  });

  it('paused beyond its window: expired, with what was done', async () => {
    await open({ latency_ms: 20 }, { limits: { concurrency: 4 }, settings: { immediate_window_seconds: 1 } });
    const input = chatLines(400);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, received(4));
    await pause(id);
    const ended = await waitForBatch(weir, id);
    expect(ended).toMatchObject({ status: 'expired', paused: false });
    const { output } = await assertInvariants(weir, id, input);
    expect(output).toHaveLength(server0().counters.received);
  });

  it('a restart while paused: it stays paused, and goes on when told', async () => {
    await open({ latency_ms: 20 }, { limits: { concurrency: 4 } });
    const input = chatLines(60);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, received(4));
    await pause(id);
    await restart();
    expect(await weir.client.batches.retrieve(id)).toMatchObject({ status: 'in_progress', paused: true });
    await expectSilence();
    await resume(id);
    await expectEachOnce(id, input);
  });

  it('stopped in the middle three times and started again: everything is done once', async () => {
    await open({ latency_ms: { min: 5, max: 40 } }, { limits: { concurrency: 16 } });
    const input = chatLines(600);
    const { id } = await submit(weir, input);
    for (const share of [0.2, 0.5, 0.8]) {
      await waitForBatch(weir, id, received(600 * share));
      await restart();
    }
    await expectEachOnce(id, input);
    expect(server0().counters.received).toBe(600);
  });

  it('stopped while a server hangs: the calls are given up after the drain time, said to be unknown, and made again', async () => {
    await open({ rate_hang: 1 }, { limits: { concurrency: 4 }, settings: { drain_seconds: 1 } });
    const input = chatLines(12);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, received(4));
    const stopping = weir.stop();
    await stopping;
    server0().configure({ rate_hang: 0 });
    weir = await startWeir(config, { folder: folder as string });
    const ended = await waitForBatch(weir, id);
    expect(ended.request_counts).toEqual({ total: 12, completed: 12, failed: 0 });
    const { entries } = await assertInvariants(weir, id, input);
    expect(entries.filter((entry) => entry.status === 'unknown')).toHaveLength(4);
    expect(entries).toHaveLength(server0().counters.received);
  });

  it('stopped while cancelling: cancelled after the start', async () => {
    await open({ rate_hang: 1 }, { limits: { concurrency: 4 }, settings: { drain_seconds: 1 } });
    const input = chatLines(12);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, received(4));
    await weir.client.batches.cancel(id);
    await restart();
    expect((await waitForBatch(weir, id)).status).toBe('cancelled');
    const { entries } = await assertInvariants(weir, id, input);
    expect(entries).toHaveLength(4);
  });
});
