import { afterEach, describe, expect, it } from 'vitest';
import { startOpenAICompatibleServer } from '../../providers/sandbox/servers/openai-compatible.ts';
import type { BatchTarget } from '../../src/protocol/batch-insight.ts';
import type { ProviderObject } from '../../src/protocol/route.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, type Pools, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const LINES = 20;

describe('a target that nobody answers at', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  it('is told of, with the reason and since when, wherever a batch is seen to wait, until it answers again', async () => {
    pools = await startPools([{ models: ['m'] }]);
    const [server] = pools.servers;
    const pool = { kind: 'openai-compatible', base_url: server!.baseUrl, api_key: 'a-key', models: ['m'] };
    weir = await startWeir({ providers: { pool } });
    await server!.stop();
    const began = Math.floor(Date.now() / 1000);
    const input = chatLines(LINES, () => ({ model: 'pool/m' }));
    const { id } = await submit(weir, input);
    const ready = async () => (await weir.call<{ unreachable: { provider: string }[] }>('/readyz')).unreachable;
    const provider = async () => (await weir.call<{ data: ProviderObject[] }>('/v1/providers')).data[0];
    const target = async () => (await weir.call<{ data: BatchTarget[] }>(`/v1/batches/${id}/targets`)).data[0];

    await expect.poll(async () => (await ready()).length, { timeout: 15_000 }).toBe(1);
    const known = await provider();
    const [reason, since] = [known?.members[0]?.health_reason, known?.unreachable?.since];
    expect(reason).toMatch(/^its requests fail \(.*ECONNREFUSED/);
    expect(since).toBeGreaterThanOrEqual(began);
    expect(known?.unreachable).toEqual({ reason, since });
    expect(await ready()).toEqual([{ provider: 'pool', reason, since }]);
    expect((await target())?.held).toEqual({ state: 'unreachable', code: 'unreachable', message: reason, since });

    pools.servers[0] = await startOpenAICompatibleServer({ models: ['m'], port: Number(new URL(server!.url).port) });
    const ended = await waitForBatch(weir, id, { seconds: 40 });
    expect(ended.request_counts).toEqual({ total: LINES, completed: LINES, failed: 0 });
    expect([await ready(), (await provider())?.unreachable, (await target())?.held]).toEqual([[], null, null]);
    await assertInvariants(weir, id, input);
  }, 60_000);
});
