import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type {
  BatchFailures,
  BatchGpus,
  BatchRequestDetail,
  BatchTarget,
  BatchThroughput,
} from '../../src/protocol/batch-insight.ts';
import type { BatchRequest } from '../../src/protocol/batch-request.ts';
import type { RouteTrial } from '../../src/protocol/route-trial.ts';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  connect,
  type Pools,
  splitConfig,
  startPools,
  startWeir,
  submit,
  type Weir,
  waitForBatch,
} from './weir.ts';

describe('what explains a batch', () => {
  let pools: Pools;
  let weir: Weir;
  let stranger: ReturnType<typeof connect>;

  beforeAll(async () => {
    pools = await startPools([{ models: ['gpt-4o-mini'] }, { models: ['gpt-4o-mini'] }]);
    weir = await startWeir(
      splitConfig(
        pools.servers.map((server) => server.baseUrl),
        [70, 30],
      ),
    );
    const made = await weir.call<{ secret: string }>('/v1/keys', {
      method: 'POST',
      body: JSON.stringify({ name: 'stranger', tenant_id: 'acme' }),
    });
    stranger = connect(weir.url, made.secret);
  });
  afterAll(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  it('tells the split wanted and got, the failures by cause with examples, and each request with its bodies', async () => {
    // Every tenth line is refused by the pool; nothing of it can be mended by another try.
    const input = chatLines(100, (index) => (index % 10 === 0 ? { max_tokens: -1 } : {}));
    const { id } = await submit(weir, input, { config: 'split' });
    await waitForBatch(weir, id);
    const books = await assertInvariants(weir, id, input);

    const { data: targets } = await weir.call<{ data: BatchTarget[] }>(`/v1/batches/${id}/targets`);
    expect(targets.map(({ target, weight, planned, requests }) => [target, weight, planned, requests])).toEqual([
      ['pool-a/gpt-4o-mini', 70, 70, 70],
      ['pool-b/gpt-4o-mini', 30, 30, 30],
    ]);
    expect(targets.reduce((sum, { amount_nano_usd: nano }) => sum + nano, 0)).toBe(books.batch.cost.amount_nano_usd);
    expect(targets.reduce((sum, { failed }) => sum + failed, 0)).toBe(10);

    const failures = await weir.call<BatchFailures>(`/v1/batches/${id}/failures`);
    expect(failures.not_grouped).toBe(0);
    expect(failures.data.reduce((sum, { requests }) => sum + requests, 0)).toBe(10);
    expect(failures.data.every(({ status_code, status }) => status_code === 400 && status === 'failed')).toBe(true);
    const example = failures.data[0]?.examples[0];
    expect(books.errors.map((line) => line.custom_id)).toContain(example?.custom_id);
    expect(example?.message).toMatch(/max_tokens/);

    const throughput = await weir.call<BatchThroughput>(`/v1/batches/${id}/throughput`);
    expect(throughput.data.reduce((sum, { requests }) => sum + requests, 0)).toBe(100);
    // Some were in flight, and never more than there are.
    const flights = throughput.data.map(({ in_flight: count }) => count ?? Number.NaN);
    expect(Math.max(...flights)).toBeGreaterThan(0);
    expect(Math.max(...flights)).toBeLessThanOrEqual(100);

    const page = await weir.call<{ data: BatchRequest[] }>(`/v1/batches/${id}/requests?limit=3`);
    const second = page.data[1] as BatchRequest;
    const detail = await weir.call<BatchRequestDetail>(`/v1/batches/${id}/requests/${second.id}`);
    expect(detail).toMatchObject(second);
    expect(detail.input).toEqual(JSON.parse(input.split('\n')[1] ?? ''));
    expect(detail.response).toEqual(books.lines[1]?.response);
    expect(detail.entries).toEqual(books.entries.filter((entry) => entry.line === 2));

    for (const path of ['targets', 'failures', 'throughput', `requests/${second.id}`]) {
      await expect(stranger.call(`/v1/batches/${id}/${path}`)).rejects.toThrow(/404/);
    }
    await expect(weir.call(`/v1/batches/${id}/requests/batch_req_x_1`)).rejects.toThrow(/404/);
  });

  it('tells what own GPUs cost a batch: its part of their working time, and of the whole time', async () => {
    const [server] = pools.servers;
    const urls = [server?.baseUrl ?? ''];
    const own = await startWeir(splitConfig(urls, [1], { price: { gpu_hour: 3.6, gpus: 2 } }));
    try {
      const input = chatLines(40);
      const ids: string[] = [];
      for (let batch = 0; batch < 2; batch++) ids.push((await submit(own, input, { config: 'split' })).id);
      for (const id of ids) {
        await waitForBatch(own, id);
        await assertInvariants(own, id, input);
      }
      for (const id of ids) {
        const { cost } = await own.call<BatchObject>(`/v1/batches/${id}`);
        const { from, to, data } = await own.call<BatchGpus>(`/v1/batches/${id}/gpus`);
        expect(data).toHaveLength(1);
        const [gpu] = data;
        expect(gpu).toMatchObject({ provider: 'pool-a', price_per_second_nano_usd: 2_000_000 });
        expect(gpu?.marginal_nano_usd).toBe(cost.amount_nano_usd);
        // Each entry is rounded to a nano-dollar.
        expect(Math.abs((gpu?.busy_seconds ?? 0) * 2_000_000 - cost.amount_nano_usd)).toBeLessThanOrEqual(40);
        expect(gpu?.share).toBeGreaterThan(0);
        expect(gpu?.share).toBeLessThanOrEqual(1);
        const whole = (to - from) * 2_000_000;
        expect(Math.abs((gpu?.amortised_nano_usd ?? 0) - whole * (gpu?.share ?? 0))).toBeLessThanOrEqual(1);
        expect(gpu?.occupancy).toBeGreaterThan(0);
      }
      const made = await own.call<{ secret: string }>('/v1/keys', {
        method: 'POST',
        body: JSON.stringify({ name: 'user' }),
      });
      await expect(connect(own.url, made.secret).call(`/v1/batches/${ids[0]}/gpus`)).rejects.toThrow(/403/);
      await expect(own.call('/v1/batches/batch_none/gpus')).rejects.toThrow(/404/);
    } finally {
      await own.stop();
    }
    const paid = await submit(weir, chatLines(3), { config: 'split' });
    await waitForBatch(weir, paid.id);
    expect((await weir.call<BatchGpus>(`/v1/batches/${paid.id}/gpus`)).data).toEqual([]);
  });

  it('groups lines that were never sent, and counts them exactly', async () => {
    const input = chatLines(40, (index) => ({ model: index < 30 ? 'pool-b/gpt-4o-mini' : 'nobody-has-this' }));
    const { id } = await submit(weir, input);
    const ended = (await waitForBatch(weir, id)) as unknown as BatchObject;
    const { data, not_grouped } = await weir.call<BatchFailures>(`/v1/batches/${id}/failures`);
    expect(data).toMatchObject([
      { code: 'model_not_found', target: null, status: 'not_sent', attempts: 0, requests: 10 },
    ]);
    expect(data[0]?.examples.map(({ line }) => line)).toEqual([31, 32, 33]);
    expect([not_grouped, ended.request_counts.failed]).toEqual([0, 10]);
    const { data: targets } = await weir.call<{ data: BatchTarget[] }>(`/v1/batches/${id}/targets`);
    expect(targets).toMatchObject([
      { target: 'pool-b/gpt-4o-mini', planned: 30, requests: 30, completed: 30, failed: 0 },
    ]);
  });

  it('tries a line on a route without sending it', async () => {
    const received = pools.servers.map((server) => server.counters.received);
    const attempt = (body: object) =>
      weir.call<RouteTrial>('/v1/routes/try', { method: 'POST', body: JSON.stringify(body) });
    const line = { url: '/v1/chat/completions', body: { model: 'x', messages: [{ role: 'user', content: 'Hi' }] } };
    const trial = await attempt({ config: 'split', line });
    expect(trial.targets.map(({ target }) => target)).toEqual(['pool-a/gpt-4o-mini', 'pool-b/gpt-4o-mini']);
    expect(trial.targets[0]?.body).toMatchObject({ model: 'gpt-4o-mini', messages: line.body.messages });
    const inline = { provider: 'pool-b', model: 'gpt-4o-mini', override_params: { seed: 7 } };
    expect((await attempt({ config: inline, line })).targets[0]).toMatchObject({
      provider: 'pool-b',
      body: { seed: 7 },
    });
    expect((await attempt({ line })).refused?.code).toBe('model_not_found');
    await expect(attempt({ config: 'splti', line })).rejects.toThrow(/route_not_found/);
    await expect(attempt({ config: { provider: 'nobody' }, line })).rejects.toThrow(/400.*provider/);
    await expect(attempt({ config: 'split', line: { url: '/v1/chat/completions' } })).rejects.toThrow(/400.*body/);
    expect(pools.servers.map((server) => server.counters.received)).toEqual(received);
  });
});
