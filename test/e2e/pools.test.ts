import { describe, expect, it } from 'vitest';
import { httpAnswer, startScriptedServer } from '../providers/scripted-server.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, startPools, startWeir, submit, waitForBatch } from './weir.ts';

interface Listed {
  data: {
    health: string;
    members: { name: string; health: string; health_reason: string | null; load: { running: number } | null }[];
  }[];
}

describe('a pool of servers', () => {
  it('leaves out a member that restarted with another model or fails its health check, and takes it back', async () => {
    const pools = await startPools([
      { models: ['m'], latency_ms: 20 },
      { models: ['m'], latency_ms: 20 },
      { models: ['m'], latency_ms: 20 },
    ]);
    const [good, wrong, ill] = pools.servers;
    if (!good || !wrong || !ill) throw new Error('three servers were asked for');
    const weir = await startWeir({
      providers: {
        pool: {
          kind: 'vllm',
          base_urls: pools.servers.map(({ baseUrl }) => baseUrl),
          models: ['m'],
          batch_priority: 10,
          price: { input: 0.1, output: 0.4 },
        },
      },
    });
    const states = async () =>
      (await weir.call<Listed>('/v1/providers')).data[0]?.members.map(({ health }) => health).join();
    try {
      wrong.configure({ model_root: 'org/another' });
      ill.configure({ health_status: 503 });
      await expect.poll(states, { timeout: 30_000, interval: 100 }).toBe('healthy,wrong_model,unhealthy');
      const listed = (await weir.call<Listed>('/v1/providers')).data[0];
      expect(listed?.health).toBe('healthy');
      expect(listed?.members[1]?.health_reason).toContain('serves org/another as m');
      good.configure({ log_size: 50 });
      const input = chatLines(40, () => ({ model: 'pool/m' }));
      const batch = await waitForBatch(weir, (await submit(weir, input)).id);
      expect(batch.request_counts?.completed).toBe(40);
      expect(wrong.counters.received + ill.counters.received).toBe(0);
      expect(good.requests.every(({ body }) => JSON.parse(body).priority === 10)).toBe(true);
      wrong.configure({ model_root: null });
      ill.configure({ health_status: 200 });
      await expect.poll(states, { timeout: 40_000, interval: 200 }).toBe('healthy,healthy,healthy');
      const metrics = await (await fetch(`${weir.url}/metrics`)).text();
      expect(metrics).toContain(`weir_member_up{provider="pool",member="127.0.0.1:${good.port}/v1"} 1`);
      await assertInvariants(weir, batch.id, input);
    } finally {
      await weir.stop();
      await pools.stop();
    }
  }, 90_000);

  it('loses no line to its only server when that comes back with another model for a while; one it never had fails at once', async () => {
    const pools = await startPools([{ models: ['m'], strict_models: true, latency_ms: 60, slots: 8 }]);
    const [server] = pools.servers;
    const base = { kind: 'vllm', base_urls: [server!.baseUrl], price: { input: 0.1, output: 0.4 } };
    const weir = await startWeir({ providers: { pool: { ...base, models: ['m', 'never'] } } });
    try {
      const none = chatLines(5, () => ({ model: 'pool/never' }));
      const refused = await waitForBatch(weir, (await submit(weir, none)).id);
      expect(refused.request_counts).toMatchObject({ failed: 5 });
      const input = chatLines(400, () => ({ model: 'pool/m' }));
      const { id } = await submit(weir, input);
      await waitForBatch(weir, id, { until: (batch) => (batch.request_counts?.completed ?? 0) > 20 });
      server!.configure({ models: ['another'] });
      await expect.poll(() => server!.counters.by_status.get(404), { timeout: 15_000 }).toBeGreaterThan(5);
      server!.configure({ models: ['m'] });
      const ended = await waitForBatch(weir, id);
      expect(ended.request_counts).toEqual({ total: 400, completed: 400, failed: 0 });
      const { entries } = await assertInvariants(weir, id, input);
      await assertInvariants(weir, refused.id, none);
      expect(entries).toHaveLength(server!.counters.received - 5);
      // What was in flight, and then one line at a time: each try is an entry.
      expect(entries.filter(({ status_code: status }) => status === 404).length).toBeLessThan(40);
    } finally {
      await weir.stop();
      await pools.stop();
    }
  }, 60_000);

  it('loses no line to an outage of its only server; lines that fail at a server which is well fail soon', async () => {
    const pools = await startPools([{ models: ['m'], latency_ms: 60, slots: 8 }]);
    const [server] = pools.servers;
    const pool = { kind: 'vllm', base_urls: [server!.baseUrl], models: ['m'], price: { input: 0.1, output: 0.4 } };
    const weir = await startWeir({ providers: { pool } });
    const failed = () => server!.counters.by_status.get(500) ?? 0;
    try {
      // As a proxy answers while the server behind it starts, and later when it starts again.
      const out = { rate_500: 1, health_status: 502 };
      server!.configure(out);
      const input = chatLines(300, () => ({ model: 'pool/m' }));
      const { id } = await submit(weir, input);
      for (const completed of [0, 20]) {
        await waitForBatch(weir, id, { until: (batch) => (batch.request_counts?.completed ?? 0) >= completed });
        server!.configure(out);
        const before = failed();
        await expect.poll(() => failed() - before, { timeout: 15_000 }).toBeGreaterThan(5);
        server!.configure({ rate_500: 0, health_status: 200 });
      }
      expect((await waitForBatch(weir, id)).request_counts).toEqual({ total: 300, completed: 300, failed: 0 });
      const { entries } = await assertInvariants(weir, id, input);
      expect(entries).toHaveLength(server!.counters.received);
      expect(entries.length).toBeLessThan(300 + 60);

      server!.configure({ poison: [{ contains: 'Question', fail_with: 500 }] });
      const poison = chatLines(4, () => ({ model: 'pool/m' }));
      const ended = await waitForBatch(weir, (await submit(weir, poison)).id);
      expect(ended.request_counts).toMatchObject({ failed: 4 });
      await assertInvariants(weir, ended.id, poison);
    } finally {
      await weir.stop();
      await pools.stop();
    }
  }, 90_000);

  it('loses no line to a server that fails all it is sent and says that it is well, while it does so for a short time', async () => {
    const pools = await startPools([{ models: ['m'], latency_ms: 60, slots: 8 }]);
    const [server] = pools.servers;
    const pool = { kind: 'vllm', base_urls: [server!.baseUrl], models: ['m'], price: { input: 0.1, output: 0.4 } };
    const weir = await startWeir({ providers: { pool } });
    const failed = () => server!.counters.by_status.get(500) ?? 0;
    try {
      const input = chatLines(300, () => ({ model: 'pool/m' }));
      const { id } = await submit(weir, input);
      await waitForBatch(weir, id, { until: (batch) => (batch.request_counts?.completed ?? 0) > 20 });
      server!.configure({ rate_500: 1 });
      await expect.poll(failed, { timeout: 15_000 }).toBeGreaterThan(8);
      await new Promise((wake) => setTimeout(wake, 8_000));
      server!.configure({ rate_500: 0 });
      expect((await waitForBatch(weir, id)).request_counts).toEqual({ total: 300, completed: 300, failed: 0 });
      expect(failed()).toBeLessThan(60);
      await assertInvariants(weir, id, input);
    } finally {
      await weir.stop();
      await pools.stop();
    }
  }, 60_000);

  it('loses no line to an outage of a server that takes one at a time: each that fails leaves the next look to another', async () => {
    const pools = await startPools([{ models: ['m'], latency_ms: 40 }]);
    const [server] = pools.servers;
    const hosted = {
      ...{ kind: 'openai-compatible', base_url: server!.baseUrl, api_key: 'a-key', models: ['m'] },
      ...{ price: { input: 0.1, output: 0.4 }, limits: { concurrency: 1 } },
    };
    const weir = await startWeir({ providers: { hosted } });
    const failed = () => server!.counters.by_status.get(500) ?? 0;
    try {
      const input = chatLines(60, () => ({ model: 'hosted/m' }));
      const { id } = await submit(weir, input);
      await waitForBatch(weir, id, { until: (batch) => (batch.request_counts?.completed ?? 0) > 5 });
      server!.configure({ rate_500: 1 });
      await expect.poll(failed, { timeout: 40_000 }).toBeGreaterThan(8);
      server!.configure({ rate_500: 0 });
      expect((await waitForBatch(weir, id)).request_counts).toEqual({ total: 60, completed: 60, failed: 0 });
      const { entries } = await assertInvariants(weir, id, input);
      const inTrouble = entries.filter(({ status_code: status }) => status === 500).map(({ custom_id: line }) => line);
      expect(new Set(inTrouble).size).toBe(inTrouble.length);
    } finally {
      await weir.stop();
      await pools.stop();
    }
  }, 120_000);

  it('loses no line and no call to members that fail whatever they are sent, and says which those are', async () => {
    const pools = await startPools([{ models: ['m'], latency_ms: 100 }]);
    const failing = (status: number, headers: Record<string, string> = {}) =>
      startScriptedServer(({ method, path, socket }) =>
        socket.write(
          // Its health check is well, or that would be the reason, as soon as it has failed twice.
          method === 'GET'
            ? httpAnswer(path.endsWith('/health') ? 200 : 404, '')
            : httpAnswer(status, '{"error":{"message":"no"}}', headers),
        ),
      );
    const broken = await Promise.all([failing(500), failing(404), failing(429, { 'retry-after': '120' })]);
    const weir = await startWeir({
      providers: {
        pool: {
          kind: 'vllm',
          base_urls: [...broken.map(({ url }) => url), pools.servers[0]?.baseUrl],
          models: ['m'],
          price: { input: 1, output: 1 },
        },
      },
    });
    try {
      const input = chatLines(300, () => ({ model: 'pool/m' }));
      const batch = await waitForBatch(weir, (await submit(weir, input)).id);
      expect(batch.request_counts?.completed).toBe(300);
      const ask = () =>
        weir.client.chat.completions.create({ model: 'pool/m', messages: [{ role: 'user', content: 'now' }] });
      const calls = await Promise.all(Array.from({ length: 20 }, ask));
      expect(calls.every(({ choices }) => choices.length === 1)).toBe(true);
      const posts = broken.map(({ requests }) => requests.filter(({ method }) => method === 'POST').length);
      // Eight each before anything is known, and probes.
      expect(Math.max(...posts)).toBeLessThan(30);
      const members = (await weir.call<Listed>('/v1/providers')).data[0]?.members ?? [];
      expect(members.map(({ health_reason: reason }) => reason).slice(0, 2)).toEqual([
        'its requests fail (500 server_error)',
        'its requests fail (404 not_found)',
      ]);
      await assertInvariants(weir, batch.id, input);
    } finally {
      await weir.stop();
      await pools.stop();
      await Promise.all(broken.map((server) => server.close()));
    }
  }, 60_000);

  it('holds batch lines back outside the hours of a provider, and sends them elsewhere where they may go', async () => {
    const pools = await startPools([{ models: ['m'] }, { models: ['m'] }]);
    const [closed, open] = pools.servers;
    const minute = new Date(Date.now() + 12 * 3_600_000).toISOString().slice(11, 16);
    const later = new Date(Date.now() + 13 * 3_600_000).toISOString().slice(11, 16);
    const provider = (baseUrl?: string) => ({
      kind: 'vllm',
      base_urls: [baseUrl],
      models: ['m'],
      price: { input: 1, output: 1 },
    });
    const weir = await startWeir({
      providers: {
        nights: { ...provider(closed?.baseUrl), schedule: { windows: [{ from: minute, to: later }] } },
        days: provider(open?.baseUrl),
      },
      routes: {
        either: {
          strategy: { mode: 'fallback' },
          targets: [
            { provider: 'nights', model: 'm' },
            { provider: 'days', model: 'm' },
          ],
        },
      },
    });
    try {
      const waiting = await submit(
        weir,
        chatLines(5, () => ({ model: 'nights/m' })),
      );
      const input = chatLines(20);
      const going = await waitForBatch(weir, (await submit(weir, input, { config: 'either' })).id);
      expect(going.request_counts?.completed).toBe(20);
      expect(open?.counters.received).toBe(20);
      const call = await weir.client.chat.completions.create({
        model: 'nights/m',
        messages: [{ role: 'user', content: 'now' }],
      });
      expect(call.choices).toHaveLength(1);
      expect(closed?.counters.received).toBe(1);
      expect((await weir.client.batches.retrieve(waiting.id)).status).toBe('in_progress');
      await assertInvariants(weir, going.id, input);
      await weir.client.batches.cancel(waiting.id);
      await waitForBatch(weir, waiting.id);
    } finally {
      await weir.stop();
      await pools.stop();
    }
  });
});
