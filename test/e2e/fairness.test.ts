import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import {
  ADMIN_KEY,
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

describe('several batches at once', () => {
  let pools: Pools;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  async function start(servers: Parameters<typeof startPools>[0], extra: Parameters<typeof splitConfig>[2] = {}) {
    pools = await startPools(servers.map((server) => ({ models: ['gpt-4o-mini'], ...server })));
    const urls = pools.servers.map(({ baseUrl }) => baseUrl);
    weir = await startWeir(
      splitConfig(
        urls,
        urls.map(() => 1),
        extra,
      ),
    );
  }

  const connectAs = async (tenant: string, limits?: object) => {
    const body = JSON.stringify({ name: tenant, tenant_id: tenant, ...(limits && { limits }) });
    const { secret } = await weir.call<{ secret: string }>('/v1/keys', { method: 'POST', body });
    return connect(weir.url, secret);
  };

  const started = (batch: { request_counts?: { completed: number } }) => (batch.request_counts?.completed ?? 0) > 0;

  it('end 100 lines early beside thousands, of the same tenant and of another', async () => {
    await start([{ latency_ms: 100 }], { limits: { concurrency: 16 } });
    const large = chatLines(4_000);
    const { id } = await submit(weir, large, { config: 'split' });
    await waitForBatch(weir, id, { until: started });
    const other = await connectAs('other');
    const small = chatLines(100);
    const inputs = [
      [weir, await submit(weir, small, { config: 'split' })],
      [other, await submit(other, small, { config: 'split' })],
    ] as const;
    for (const [owner, batch] of inputs) {
      const ended = await waitForBatch(owner, batch.id, { seconds: 90 });
      expect(ended.status).toBe('completed');
    }
    const meanwhile = await weir.client.batches.retrieve(id);
    expect(meanwhile.status).toBe('in_progress');
    // Each small batch had a share of its own from its first moment on: far from all lines went before them.
    expect(meanwhile.request_counts?.completed).toBeLessThan(2_000);
    await weir.client.batches.cancel(id);
    await waitForBatch(weir, id, { seconds: 60 });
    await assertInvariants(weir, id, large);
    for (const [owner, batch] of inputs) await assertInvariants(owner, batch.id, small);
  }, 180_000);

  it('run fast lines at full speed beside a target that answers slowly or not at all', async () => {
    await start([{ latency_ms: 5 }, { latency_ms: 20_000 }], {
      settings: { drain_seconds: 1, max_open_segments: 4, segment_lines: 10 },
    });
    const slow = await Promise.all(
      Array.from({ length: 3 }, () => submit(weir, chatLines(400), { config: { provider: 'pool-b' } })),
    );
    await expect.poll(() => pools.servers[1]?.counters.received, { timeout: 10_000 }).toBeGreaterThan(0);
    const fast = chatLines(400);
    const { id } = await submit(weir, fast, { config: { provider: 'pool-a' } });
    await waitForBatch(weir, id);
    await assertInvariants(weir, id, fast);
    for (const batch of slow) await weir.client.batches.cancel(batch.id);
  });

  it('give a batch of high priority its share of the slots and no more, with what the server is told of them all', async () => {
    pools = await startPools([{ models: ['gpt-4o-mini'], latency_ms: 25, slots: 8, log_size: 2_000 }]);
    const [server] = pools.servers;
    const base = { kind: 'vllm', base_urls: [server!.baseUrl], models: ['gpt-4o-mini'] };
    const pool = { ...base, batch_priority: 10, limits: { concurrency: 8 }, price: { input: 0.15, output: 0.6 } };
    weir = await startWeir({ providers: { pool } });
    const create = async (text: string, body: object, headers = {}) => {
      const file = await weir.client.files.create({ file: new File([text], 'input.jsonl'), purpose: 'batch' });
      return weir.call<{ id: string; priority: number }>('/v1/batches', {
        method: 'POST',
        headers,
        body: JSON.stringify({
          input_file_id: file.id,
          endpoint: '/v1/chat/completions',
          completion_window: 'immediate',
          ...body,
        }),
      });
    };
    const text = (user: string) => chatLines(250, () => ({ user }));
    const low = await create(text('low'), { priority: -2 });
    const high = await create(text('high'), {}, { 'x-weir-priority': '4' });
    expect([low.priority, high.priority]).toEqual([-2, 4]);
    const call = () =>
      weir.client.chat.completions.create({
        model: 'gpt-4o-mini',
        messages: [{ role: 'user', content: 'now' }],
        user: 'call',
      });
    await waitForBatch(weir, high.id, { until: (batch) => (batch.request_counts?.completed ?? 0) > 100 });
    await call();
    await waitForBatch(weir, high.id);
    expect((await weir.client.batches.retrieve(low.id)).status).toBe('in_progress');
    await waitForBatch(weir, low.id);
    const sent = server!.requests.map(({ body }) => JSON.parse(body) as { user: string; priority?: number });
    // A call is ordinary to the server, where lines of batches stand behind all that is.
    expect(sent.filter(({ user }) => user === 'call')).toEqual([expect.not.objectContaining({ priority: 10 })]);
    const lines = sent.filter(({ user }) => user !== 'call');
    expect(lines.every(({ priority }) => priority === 10)).toBe(true);
    const order = lines.map(({ user }) => user);
    const both = order.slice(order.indexOf('high'), order.lastIndexOf('high') + 1);
    const share = both.filter((user) => user === 'high').length / both.length;
    // Six steps of priority are eight times the share, and the other one is never left out.
    expect(share).toBeGreaterThan(0.85);
    expect(share).toBeLessThan(0.93);
    expect(
      Math.max(
        ...both
          .join(' ')
          .split('low')
          .map((run) => run.split('high').length - 1),
      ),
    ).toBeLessThan(60);
    expect(server!.counters.max_running).toBeLessThanOrEqual(8);
    expect(server!.counters.max_waiting).toBe(0);
    for (const [{ id }, user] of [
      [low, 'low'],
      [high, 'high'],
    ] as const)
      await assertInvariants(weir, id, text(user));
    await expect(create(text('x'), { priority: 11 })).rejects.toThrow(/400.*priority/);
    await expect(create(text('x'), {}, { 'x-weir-priority': 'high' })).rejects.toThrow(/400.*x-weir-priority/);
  });

  it('let 30 small lines pass a large one at their head, where tokens a minute are few', async () => {
    await start([{}], { limits: { concurrency: 32, tokens_per_minute: 60_000 } });
    const text = chatLines(31, (index) => (index === 0 ? { max_tokens: 50_000 } : { max_tokens: 10 }));
    const { id } = await submit(weir, text, { config: 'split' });
    // The large line alone holds the budget for most of a minute.
    await waitForBatch(weir, id, { until: (batch) => (batch.request_counts?.completed ?? 0) >= 30 });
    await waitForBatch(weir, id, { seconds: 60 });
    await assertInvariants(weir, id, text);
  });

  it('wait for the limits of their key, and for no other key’s', async () => {
    await start([{}]);
    const limited = await connectAs('limited', { requests_per_minute: 100 });
    const text = chatLines(200);
    const { id } = await submit(limited, text, { config: 'split' });
    await waitForBatch(limited, id, { until: (batch) => (batch.request_counts?.completed ?? 0) >= 80 });
    const other = await submit(weir, text, { config: 'split' });
    await waitForBatch(weir, other.id);
    const held = await limited.client.batches.retrieve(id);
    expect(held.status).toBe('in_progress');
    expect(held.request_counts?.completed).toBeLessThan(150);
    const { data } = await weir.call<{ data: { id: string; name: string }[] }>('/v1/keys');
    const key = data.find(({ name }) => name === 'limited')!;
    await weir.call(`/v1/keys/${key.id}`, { method: 'POST', body: JSON.stringify({ limits: null }) });
    await waitForBatch(limited, id);
    await assertInvariants(limited, id, text);
    await assertInvariants(connect(weir.url, ADMIN_KEY), other.id, text);
  });
});
