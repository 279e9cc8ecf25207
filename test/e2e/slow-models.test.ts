import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import { chatLines, connect, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const LATENCY_MS: Readonly<Record<string, number>> = { fast: 5, slow: 1_500 };

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { model } = JSON.parse(Buffer.concat(chunks).toString()) as { model: string };
  await new Promise((wake) => setTimeout(wake, LATENCY_MS[model] ?? 0));
  response.writeHead(200, { 'content-type': 'application/json' });
  const choices = [{ index: 0, message: { role: 'assistant', content: 'yes' }, finish_reason: 'stop' }];
  const usage = { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 };
  response.end(JSON.stringify({ id: 'x', object: 'chat.completion', created: 1, model, choices, usage }));
}

/** One service with a model that answers at once and one that thinks. */
async function startService(): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` };
}

describe('a slow model of a provider', () => {
  let server: Server;
  let weir: Weir;

  afterEach(async () => {
    await weir.stop();
    server.closeAllConnections();
    server.close();
  });

  async function open(): Promise<void> {
    const service = await startService();
    server = service.server;
    const models = Object.keys(LATENCY_MS);
    const limits = { concurrency: 8 };
    const settings = { drain_seconds: 1 };
    const p = { kind: 'openai-compatible', base_url: service.url, models, limits, price: { input: 1, output: 2 } };
    weir = await startWeir({ providers: { p }, settings });
  }

  const inProgress = (batch: { request_counts?: { completed: number } }) => (batch.request_counts?.completed ?? 0) > 0;

  it('has its part of the slots and leaves the others to a fast one, of the same tenant and of another', async () => {
    await open();
    const slow = await submit(
      weir,
      chatLines(400, () => ({ model: 'slow' })),
    );
    await waitForBatch(weir, slow.id, { until: inProgress });
    const body = JSON.stringify({ name: 'other', tenant_id: 'other' });
    const { secret } = await weir.call<{ secret: string }>('/v1/keys', { method: 'POST', body });
    const text = chatLines(200, () => ({ model: 'fast' }));
    for (const owner of [weir, connect(weir.url, secret)]) {
      const started = Date.now();
      const fast = await submit(owner, text);
      await waitForBatch(owner, fast.id, { seconds: 60 });
      // Slot by slot in their turn, as they would be sent otherwise, they take two minutes.
      expect(Date.now() - started).toBeLessThan(20_000);
      await assertInvariants(owner, fast.id, text);
    }
    await weir.client.batches.cancel(slow.id);
    await waitForBatch(weir, slow.id);
  }, 150_000);
});
