import { afterEach, describe, expect, it } from 'vitest';
import type { BatchObject } from '../../src/protocol/batch.ts';
import { codeOf, connectAs, post } from './answers.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, type Pools, splitConfig, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const MODEL = { models: ['gpt-4o-mini'] };

describe('retry', () => {
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
  const inputOf = async (batch: BatchObject) => (await weir.client.files.content(batch.input_file_id)).text();

  /** Retries a batch, waits for the end, asserts that its input is the failed lines of `input`, byte for byte. */
  async function retry(id: string, input: string, failed: string[]) {
    const answer = await post(weir, `/v1/batches/${id}/retry`);
    expect(answer.status).toBe(200);
    const created = answer.body as unknown as BatchObject;
    expect(created).toMatchObject({ status: 'validating', retry_of: id });
    const wanted = input
      .split('\n')
      .filter((line) => line.trim() !== '' && failed.includes(JSON.parse(line).custom_id));
    expect(await inputOf(created)).toBe(wanted.map((line) => `${line}\n`).join(''));
    await waitForBatch(weir, created.id);
    return assertInvariants(weir, created.id, wanted.join('\n'));
  }

  it('of failed lines only: a new batch on the same route, with the same tags, that sends nothing else', async () => {
    await open({
      poison: [
        { contains: 'Question 3:', fail_with: 400 },
        { contains: 'Question 7:', fail_with: 400 },
      ],
    });
    const input = `\n${chatLines(10).replaceAll('\n', '\r\n')}`;
    const { id } = await submit(weir, input, { config: 'split', metadata: { project: 'retry' } });
    await waitForBatch(weir, id);
    const first = await assertInvariants(weir, id, input.replaceAll('\r', ''));
    expect(first.errors.map((line) => line.custom_id)).toEqual(['request-3', 'request-7']);
    server0().configure({ poison: [] });
    server0().reset();
    const { batch, output, entries } = await retry(id, input.replaceAll('\r', ''), ['request-3', 'request-7']);
    expect(output.map((line) => line.custom_id)).toEqual(['request-3', 'request-7']);
    expect(server0().counters.received).toBe(2);
    const { endpoint, completion_window, metadata, config } = first.batch;
    expect(batch).toMatchObject({ endpoint, completion_window, metadata, config });
    expect(entries.every((entry) => entry.tags.project === 'retry')).toBe(true);
    expect(await weir.call(`/v1/batches/${id}`), 'the first batch stays as it was').toEqual(first.batch);
  });

  it('of cancelled lines only', async () => {
    await open({ latency_ms: 150 }, { limits: { concurrency: 4 } });
    const input = chatLines(30);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id, { until: () => server0().counters.received >= 4 });
    await weir.client.batches.cancel(id);
    await waitForBatch(weir, id);
    const first = await assertInvariants(weir, id, input);
    server0().configure({ latency_ms: 0 });
    const failed = first.errors.map((line) => line.custom_id);
    const { batch } = await retry(id, input, failed);
    expect(batch.request_counts.completed).toBe(failed.length);
    expect(server0().counters.received, 'both together sent every line once').toBe(30);
  });

  it('of expired lines only', async () => {
    await open({ latency_ms: 150 }, { limits: { concurrency: 4 }, settings: { immediate_window_seconds: 2 } });
    const input = chatLines(150);
    const { id } = await submit(weir, input);
    expect((await waitForBatch(weir, id)).status).toBe('expired');
    const first = await assertInvariants(weir, id, input);
    server0().configure({ latency_ms: 0 });
    const { batch } = await retry(
      id,
      input,
      first.errors.map((line) => line.custom_id),
    );
    expect(batch.status).toBe('completed');
    expect(server0().counters.received).toBe(150);
  });

  it('of a batch cancelled before its start: every line', async () => {
    await open();
    const input = chatLines(500);
    const { id } = await submit(weir, input);
    const { status } = await weir.client.batches.cancel(id);
    expect(status).toBe('cancelling');
    await waitForBatch(weir, id);
    const first = await assertInvariants(weir, id, input);
    const { batch } = await retry(
      id,
      input,
      first.errors.map((line) => line.custom_id),
    );
    expect(batch.status).toBe('completed');
    expect(server0().counters.received).toBe(500);
  });

  it('of a retry: again only what is still failed', async () => {
    await open({
      poison: [
        { contains: 'Question 1:', fail_with: 400 },
        { contains: 'Question 2:', fail_with: 400 },
      ],
    });
    const input = chatLines(4);
    const { id } = await submit(weir, input);
    await waitForBatch(weir, id);
    server0().configure({ poison: [{ contains: 'Question 2:', fail_with: 400 }] });
    const second = await retry(id, input, ['request-1', 'request-2']);
    expect(second.errors.map((line) => line.custom_id)).toEqual(['request-2']);
    server0().configure({ poison: [] });
    const third = await retry(second.batch.id, input, ['request-2']);
    expect(third.batch.request_counts).toEqual({ total: 1, completed: 1, failed: 0 });
  });

  it('under one Idempotency-Key, twice: one new batch', async () => {
    await open({ poison: [{ contains: 'Question 1:', fail_with: 400 }] });
    const { id } = await submit(weir, chatLines(4));
    await waitForBatch(weir, id);
    const key = { 'idempotency-key': 'retry-1' };
    const first = await post(weir, `/v1/batches/${id}/retry`, undefined, key);
    const second = await post(weir, `/v1/batches/${id}/retry`, undefined, key);
    expect(second.body.id).toBe(first.body.id);
    expect((await weir.client.batches.list()).data).toHaveLength(2);
    expect((await weir.client.files.list({ purpose: 'batch' })).data).toHaveLength(2);
    await waitForBatch(weir, String(first.body.id));
  });

  it('by an administrator of another tenant: the new batch and its files belong to the owner', async () => {
    await open({ poison: [{ contains: 'Question 1:', fail_with: 400 }] });
    const alice = await connectAs(weir, 'alice');
    const { id } = await submit(alice, chatLines(4));
    await waitForBatch(alice, id);
    server0().configure({ poison: [] });
    const answer = await post(weir, `/v1/batches/${id}/retry`);
    const ended = await waitForBatch(alice, String(answer.body.id));
    expect(ended.request_counts?.completed).toBe(1);
    expect((await alice.client.files.retrieve(ended.input_file_id)).id).toBe(ended.input_file_id);
    expect((await weir.client.batches.list()).data).toEqual([]);
    expect((await weir.client.files.list()).data).toEqual([]);
  });

  it.each<[string, (id: string) => Promise<unknown>, number, string]>([
    ['a running batch: 409 batch_not_ended', async () => undefined, 409, 'batch_not_ended'],
    ['a batch without failures: 400 nothing_to_retry', (id) => waitForBatch(weir, id), 400, 'nothing_to_retry'],
    [
      'a batch whose input was deleted: 410 file_gone',
      async (id) => {
        await waitForBatch(weir, id);
        await weir.client.files.delete((await weir.client.batches.retrieve(id)).input_file_id);
      },
      410,
      'file_gone',
    ],
  ])('of %s', async (_name, prepare, status, code) => {
    await open({
      latency_ms: 50,
      ...(code === 'file_gone' && { poison: [{ contains: 'Question 1:', fail_with: 400 }] }),
    });
    const { id } = await submit(weir, chatLines(4));
    await prepare(id);
    const answer = await post(weir, `/v1/batches/${id}/retry`);
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
    await waitForBatch(weir, id);
  });

  it('of a batch that failed validation: 409 batch_failed; of no batch: 404', async () => {
    await open();
    const { id } = await submit(weir, `${chatLines(1)}null\n`);
    await waitForBatch(weir, id);
    expect(codeOf(await post(weir, `/v1/batches/${id}/retry`))).toBe('batch_failed');
    expect((await post(weir, '/v1/batches/batch_unknown/retry')).status).toBe(404);
  });

  it('after the window of the first batch: the new one has a window of its own', async () => {
    await open(
      { poison: [{ contains: 'Question 1:', fail_with: 400 }] },
      { settings: { immediate_window_seconds: 2 } },
    );
    const { id } = await submit(weir, chatLines(4));
    const ended = await waitForBatch(weir, id);
    server0().configure({ poison: [] });
    await waitForBatch(weir, id, { until: () => Date.now() / 1000 > (ended.expires_at ?? 0) });
    const { batch } = await retry(id, chatLines(4), ['request-1']);
    expect((batch.expires_at ?? 0) - batch.created_at).toBe((ended.expires_at ?? 0) - ended.created_at);
    expect(batch.status).toBe('completed');
  });
});
