import { afterEach, describe, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../providers/sandbox/servers/openai-batch.ts';
import type { BatchObject } from '../../src/protocol/batch.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, type Pools, realInput, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const FAST = { poll_seconds_min: 1, cancel_seconds: 2 };

describe('native batches', () => {
  const services: SimulatedBatchServer[] = [];
  let pools: Pools | undefined;
  let weir: Weir | undefined;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
    for (const service of services.splice(0)) await service.stop();
    weir = undefined;
    pools = undefined;
  });

  async function service(options: Parameters<typeof startOpenAIBatchServer>[0] = {}): Promise<SimulatedBatchServer> {
    const started = await startOpenAIBatchServer(options);
    services.push(started);
    return started;
  }

  function openai(at: SimulatedBatchServer, extra: object = {}): object {
    return { kind: 'openai', base_url: at.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'], ...extra };
  }

  async function providerAlerts(at: Weir): Promise<object[] | undefined> {
    const { data } = await at.call<{ data: { name: string; alerts: object[] }[] }>('/v1/providers');
    return data.find(({ name }) => name === 'openai')?.alerts;
  }

  it('run a file at half price, deliver it in input order, and leave nothing at the provider', async () => {
    const remote = await service();
    weir = await startWeir({ providers: { openai: openai(remote) }, settings: FAST });
    const input = await realInput();
    const batch = await submit(weir, input, { window: '24h' });
    const ended = await waitForBatch(weir, batch.id, { seconds: 40 });
    expect(ended.status).toBe('completed');
    const { entries, batch: object } = await assertInvariants(weir, batch.id, input);
    expect(remote.counters.batches_created).toBe(1);
    expect(entries.every((entry) => entry.mode === 'batch' && entry.amount_nano_usd !== null)).toBe(true);
    expect(object.cost.amount_nano_usd * 2).toBe(object.cost.list_amount_nano_usd);
    expect(object.shards).toMatchObject([
      { provider: 'openai', state: 'done', provider_status: 'completed', amount_nano_usd: object.cost.amount_nano_usd },
    ]);
    await expect.poll(() => remote.held(), { timeout: 10_000 }).toEqual({ live: 0, files: 0 });
  }, 60_000);

  it('share one batch with a pool, by weight, into one output', async () => {
    const remote = await service({ job_ms: 1_000 });
    pools = await startPools([{ models: ['gpt-4o-mini'] }]);
    weir = await startWeir({
      providers: {
        openai: openai(remote),
        pool: {
          kind: 'vllm',
          base_urls: [pools.servers[0]?.baseUrl],
          models: ['gpt-4o-mini'],
          price: { input: 0, output: 0 },
        },
      },
      routes: {
        both: {
          strategy: { mode: 'loadbalance' },
          targets: [
            { provider: 'openai', model: 'gpt-4o-mini', weight: 70 },
            { provider: 'pool', model: 'gpt-4o-mini', weight: 30 },
          ],
        },
      },
      settings: FAST,
    });
    const input = chatLines(200);
    const batch = await submit(weir, input, { window: '24h', config: 'both' });
    await waitForBatch(weir, batch.id);
    const { lines } = await assertInvariants(weir, batch.id, input);
    expect(lines.filter((line) => line.weir.provider === 'openai')).toHaveLength(140);
    expect(remote.counters.lines_run).toBe(140);
    expect(pools.servers[0]?.counters.received).toBe(60);
  }, 40_000);

  it('send lines that failed at the batch service to the provider’s ordinary API, once', async () => {
    const failing = [3, 4, 9, 17].map((number) => ({ contains: `Question ${number}:`, status: 500 }));
    const remote = await service({ line_faults: failing });
    weir = await startWeir({ providers: { openai: openai(remote) }, settings: FAST });
    const input = chatLines(20);
    const batch = await submit(weir, input, { window: '24h' });
    await waitForBatch(weir, batch.id);
    const { entries } = await assertInvariants(weir, batch.id, input);
    const again = entries.filter((entry) => entry.custom_id === 'request-3');
    expect(again.map((entry) => entry.mode).slice(0, 2)).toEqual(['batch', 'immediate']);
    expect(entries).toHaveLength(20 + failing.length);
  }, 40_000);

  it('fail a line alone that the service’s validation refuses, and run the others', async () => {
    const remote = await service({ refuse_lines: [12] });
    weir = await startWeir({ providers: { openai: openai(remote) }, settings: FAST });
    const input = chatLines(12);
    const batch = await submit(weir, input, { window: '24h' });
    // Its second try has eleven lines, so that the twelfth is refused once.
    const ended = await waitForBatch(weir, batch.id);
    expect(ended.request_counts).toEqual({ total: 12, completed: 11, failed: 1 });
    const { errors } = await assertInvariants(weir, batch.id, input);
    expect(errors[0]?.custom_id).toBe('request-11');
  }, 40_000);

  it('wait for room in the provider’s queue instead of failing', async () => {
    const remote = await service({ enqueued_tokens: 10 });
    weir = await startWeir({ providers: { openai: openai(remote) }, settings: FAST });
    const input = chatLines(10);
    const batch = await submit(weir, input, { window: '24h' });
    await waitForBatch(weir, batch.id, {
      until: (b) => (b as unknown as BatchObject).shards?.[0]?.error?.code === 'token_limit_exceeded',
    });
    remote.configure({ enqueued_tokens: null });
    const ended = await waitForBatch(weir, batch.id, { seconds: 60 });
    expect(ended.request_counts).toEqual({ total: 10, completed: 10, failed: 0 });
    await assertInvariants(weir, batch.id, input);
  }, 80_000);

  it('wait for an operator when the provider refuses the key, and say so', async () => {
    const remote = await service({ api_key: 'sk-other' });
    weir = await startWeir({ providers: { openai: openai(remote) }, settings: FAST });
    const input = chatLines(10);
    const batch = await submit(weir, input, { window: '24h' });
    await waitForBatch(weir, batch.id, { until: (b) => (b as unknown as BatchObject).shards?.[0]?.error != null });
    const ready = await weir.call<{ waiting_for_operator: object[] }>('/readyz');
    expect(ready.waiting_for_operator).toMatchObject([{ provider: 'openai', shards: 1 }]);
    const { shards } = await weir.call<BatchObject>(`/v1/batches/${batch.id}`);
    expect(shards?.[0]?.alert).toMatchObject({ code: 'needs_operator' });
    expect(await providerAlerts(weir)).toMatchObject([{ code: 'needs_operator', shards: 1 }]);
    remote.configure({ api_key: 'sk-test' });
    const ended = await waitForBatch(weir, batch.id, { seconds: 30 });
    expect(ended.request_counts).toEqual({ total: 10, completed: 10, failed: 0 });
    await assertInvariants(weir, batch.id, input);
    expect((await weir.call<{ waiting_for_operator: object[] }>('/readyz')).waiting_for_operator).toEqual([]);
  }, 60_000);

  it('that show no progress say so on the batch, on /readyz, on /v1/providers and in the metrics', async () => {
    const remote = await service({ job_ms: 10 ** 9 });
    weir = await startWeir({ providers: { openai: openai(remote) }, settings: { ...FAST, stuck_seconds: 1 } });
    const config = {
      strategy: { mode: 'single' },
      targets: [{ provider: 'openai', model: 'gpt-4o-mini', mode: 'batch' }],
    };
    const input = chatLines(10);
    const { id } = await submit(weir, input, { window: '24h', config });
    const at = weir;
    const shown = async () => (await at.call<BatchObject>(`/v1/batches/${id}`)).shards?.[0];
    // The first look at it is progress, too: the alert is there to stay when it comes after that.
    const stuck = { state: 'running', provider_status: 'validating', alert: { code: 'stuck' } };
    await expect.poll(shown, { timeout: 20_000 }).toMatchObject(stuck);
    const ready = await weir.call<{ status: string; alerts: object[] }>('/readyz');
    expect(ready).toMatchObject({ status: 'ok', alerts: [{ provider: 'openai', code: 'stuck', shards: 1 }] });
    expect(await providerAlerts(weir)).toEqual([{ code: 'stuck', reason: null, shards: 1 }]);
    const metrics = await (await fetch(`${weir.url}/metrics`)).text();
    expect(metrics).toContain('weir_shard_alerts{provider="openai",code="stuck"} 1');
    expect(metrics).toContain('weir_shards{provider="openai",state="running"} 1');
    await weir.client.batches.cancel(id);
    const ended = await waitForBatch(weir, id, { seconds: 30 });
    expect(ended.status).toBe('cancelled');
    await assertInvariants(weir, id, input);
    expect(await weir.call<{ alerts: object[] }>('/readyz')).toMatchObject({ alerts: [] });
  }, 60_000);

  it('are stopped by a cancel, with what was done delivered', async () => {
    const remote = await service({ job_ms: 60_000, stop_at: 0.4 });
    weir = await startWeir({ providers: { openai: openai(remote) }, settings: FAST });
    const input = chatLines(50);
    const batch = await submit(weir, input, { window: '24h' });
    await waitForBatch(weir, batch.id, {
      until: (b) => (b as unknown as BatchObject).shards?.[0]?.state === 'running',
    });
    await weir.client.batches.cancel(batch.id);
    const ended = await waitForBatch(weir, batch.id);
    expect(ended.status).toBe('cancelled');
    await assertInvariants(weir, batch.id, input);
    expect(remote.held().live).toBe(0);
  }, 40_000);

  it('go on elsewhere when the service does not end in time', async () => {
    const remote = await service({ job_ms: 3_600_000, cancel_ms: 3_600_000, stop_at: 0 });
    pools = await startPools([{ models: ['gpt-4o-mini'] }]);
    weir = await startWeir({
      providers: {
        openai: openai(remote),
        pool: {
          kind: 'vllm',
          base_urls: [pools.servers[0]?.baseUrl],
          models: ['gpt-4o-mini'],
          price: { input: 0, output: 0 },
        },
      },
      routes: {
        rescue: {
          strategy: { mode: 'fallback' },
          targets: [
            { provider: 'openai', model: 'gpt-4o-mini', mode: 'batch' },
            { provider: 'pool', model: 'gpt-4o-mini' },
          ],
        },
      },
      settings: { ...FAST, stuck_seconds: 2 },
    });
    const input = chatLines(30);
    const batch = await submit(weir, input, { window: '24h', config: 'rescue' });
    const ended = await waitForBatch(weir, batch.id, { seconds: 30 });
    expect(ended.request_counts).toEqual({ total: 30, completed: 30, failed: 0 });
    const { lines, batch: object } = await assertInvariants(weir, batch.id, input);
    expect(lines.every((line) => line.weir.provider === 'pool')).toBe(true);
    expect(object.shards?.[0]?.state).toBe('abandoned');
  }, 60_000);

  it('do not wait for ever for results that cannot be read, nor hide what they may have cost', async () => {
    const remote = await service({ faults: [{ on: 'content', fault: 500, times: null }] });
    pools = await startPools([{ models: ['gpt-4o-mini'] }]);
    weir = await startWeir({
      providers: { openai: openai(remote) },
      settings: { ...FAST, immediate_window_seconds: 5 },
    });
    const input = chatLines(10);
    const batch = await submit(weir, input, { window: '24h' });
    await waitForBatch(weir, batch.id, {
      until: (b) => (b as unknown as BatchObject).shards?.[0]?.state === 'collecting',
    });
    await weir.client.batches.cancel(batch.id);
    const ended = await waitForBatch(weir, batch.id, { seconds: 40 });
    expect(ended.status).toBe('cancelled');
    const { entries } = await assertInvariants(weir, batch.id, input);
    expect(entries.map((entry) => entry.status)).toEqual(Array(10).fill('unknown'));
  }, 60_000);

  it('survive odd answers: keys twice, strangers, unreadable lines, late and empty file ids', async () => {
    const remote = await service({ odd_lines: true, late_output_polls: 2, empty_ids: true });
    weir = await startWeir({ providers: { openai: openai(remote) }, settings: FAST });
    const input = chatLines(40);
    const batch = await submit(weir, input, { window: '24h' });
    const ended = await waitForBatch(weir, batch.id, { seconds: 40 });
    expect(ended.status).toBe('completed');
    await assertInvariants(weir, batch.id, input);
  }, 60_000);
});
