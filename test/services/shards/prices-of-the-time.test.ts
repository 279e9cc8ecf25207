/** Provider batches that ran on one day and are collected on another, which has other prices. */
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { unixSeconds } from '../../../src/ports/clock.ts';
import { adjustLedger } from '../../../src/services/ledger/adjust.ts';
import { createPrice } from '../../../src/services/prices/create.ts';
import { ShardRunner } from '../../../src/services/shards/run.ts';
import { plainCall } from '../../../src/services/shards/shard-work.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, contextOf, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const signal = new AbortController().signal;
const LINES = 5;
const DAY = 86_400;
const model = 'gpt-4o-mini';

function dayOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

describe('answers of provider batches', () => {
  let folder: string;
  let server: SimulatedBatchServer;
  let other: SimulatedBatchServer;
  let rig: Rig;

  beforeEach(async () => {
    folder = await temporaryFolder();
    server = await startOpenAIBatchServer({ stop_at: 0 });
    other = await startOpenAIBatchServer({ job_ms: 10 });
    const openai = (at: SimulatedBatchServer) => ({
      kind: 'openai',
      base_url: at.baseUrl,
      api_key: 'sk-test',
      models: [model],
    });
    const strategy = { mode: 'single' };
    rig = await openRig(folder, {
      providers: { openai: openai(server), other: openai(other) },
      routes: {
        native: { strategy, targets: [{ provider: 'openai', model }] },
        rescued: {
          strategy,
          targets: [{ provider: 'openai', model, mode: 'batch' }],
          rescue: { after: '1h', to: { provider: 'other', model, mode: 'batch' } },
        },
      },
      settings: { poll_seconds_min: 0 },
    });
  });
  afterEach(async () => {
    await rig.close();
    await Promise.all([server.stop(), other.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  /** A batch whose provider batch is under way; from tomorrow on everything costs a hundred times as much. */
  async function begin(config: string): Promise<{ id: string; runner: ShardRunner }> {
    const { deps } = rig;
    const id = await beginBatch(deps, chatLines(LINES), {
      config,
      completion_window: config === 'native' ? '9d' : '24h',
    });
    const runner = new ShardRunner(deps);
    const isRunning = async () => (await deps.store.shards.list(id))[0]?.state === 'running';
    expect(await workUntil(deps, isRunning, { runner })).toBe(true);
    const card = { input: '100', output: '100' };
    const price = { provider: 'openai', model, currency: 'USD', from: tomorrow(), standard: card, batch: card };
    await createPrice(deps, contextOf(deps), { price, source: 'a test', dryRun: false });
    return { id, runner };
  }

  function tomorrow(): string {
    return dayOf(unixSeconds(rig.deps.clock) + DAY);
  }

  /** Resolves when the provider of a batch says that it has ended; Weir does not know of it. */
  async function untilEnded(id: string): Promise<void> {
    const shard = (await rig.deps.store.shards.list(id)).find(({ provider }) => provider === 'openai');
    const remote = { id: shard?.providerBatchId ?? '', refs: shard?.refs ?? {} };
    const api = rig.deps.providers.get('openai')?.batch;
    await expect.poll(async () => (await api?.poll(remote, plainCall(rig.deps, signal)))?.state).toBe('ended');
  }

  async function versionsOf(id: string): Promise<(string | undefined)[]> {
    const entries = await entriesOf(rig.deps, id);
    expect(entries).toHaveLength(LINES);
    return [...new Set(entries.map(({ rates }) => rates?.from))];
  }

  function adjust(now = false) {
    const pricesAt = now ? unixSeconds(rig.deps.clock) : undefined;
    return adjustLedger(
      rig.deps,
      { filter: { tenantId: null }, unpricedOnly: false, reason: 'a test', dryRun: false, pricesAt },
      signal,
    );
  }

  it('have the prices of the day on which they ran, not of that on which they are collected', async () => {
    const { deps } = rig;
    const { id, runner } = await begin('native');
    const todays = dayOf(unixSeconds(deps.clock));
    server.configure({ stop_at: null, job_ms: 0 });
    await untilEnded(id);
    rig.advance(3 * DAY);
    const collected = unixSeconds(deps.clock);
    expect(await workUntil(deps, () => isSettled(deps, id), { runner })).toBe(true);
    const [from] = await versionsOf(id);
    expect((from ?? '') <= todays).toBe(true);
    // In the books they are from when they were entered: no day of the past changes.
    const entries = await entriesOf(deps, id);
    for (const { createdAt, ranAt } of entries) {
      expect(createdAt).toBeGreaterThanOrEqual(collected);
      expect(dayOf(ranAt ?? 0)).toBe(todays);
    }
    expect(await adjust()).toMatchObject({ examined: LINES, adjusted: 0, unchanged: LINES });
    // As if they had run today; then again as they ran.
    expect(await adjust(true)).toMatchObject({ adjusted: LINES });
    const before = (await deps.store.batches.get('all', id))?.amountNano ?? 0n;
    rig.advance(DAY);
    expect(await adjust()).toMatchObject({ adjusted: LINES });
    const batch = await deps.store.batches.get('all', id);
    expect(batch?.amountNano).toBe(entries.reduce((sum, { amountNano }) => sum + BigInt(amountNano ?? 0), 0n));
    expect(before).toBeGreaterThan(batch?.amountNano ?? 0n);
    expect((await deps.store.shards.list(id))[0]?.amountNano).toBe(batch?.amountNano);
  });

  it('have them also where their lines ran elsewhere meanwhile', async () => {
    const { deps } = rig;
    server.configure({ faults: [{ on: 'cancel', fault: 405, times: null }] });
    const { id, runner } = await begin('rescued');
    const todays = dayOf(unixSeconds(deps.clock));
    const isAbandoned = async () => (await deps.store.shards.list(id)).some(({ state }) => state === 'abandoned');
    expect(await workUntil(deps, isAbandoned, { runner, between: () => rig.advance(60), rounds: 120 })).toBe(true);
    server.configure({ stop_at: null, job_ms: 0, faults: [] });
    await untilEnded(id);
    rig.advance(3 * DAY);
    const isOver = async () => !(await isAbandoned());
    expect(await workUntil(deps, isOver, { runner, between: () => rig.advance(60) })).toBe(true);
    const waste = (await entriesOf(deps, id)).filter(({ status }) => status === 'superseded');
    expect(waste).toHaveLength(LINES);
    expect(waste.every(({ rates }) => (rates?.from ?? '~') <= todays)).toBe(true);
  });
});
