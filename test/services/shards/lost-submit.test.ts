/** Create calls whose answer is lost while the provider tells nothing: what it took is found, stopped and entered in the end. */
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import type { BatchFault } from '../../../providers/sandbox/servers/openai-batch-settings.ts';
import { isTerminal } from '../../../src/core/batch-state.ts';
import { countAlerts } from '../../../src/services/shards/alerts.ts';
import { sweepProviders } from '../../../src/services/shards/orphans.ts';
import { presentShards } from '../../../src/services/shards/present.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 20;
const DAY = 86_400;
const NOTHING = { live: 0, files: 0 };
const SILENT: BatchFault[] = [{ on: 'any', fault: 503, times: null }];

describe('a create call of which nobody knows how it ended, at a provider that lists nothing', () => {
  let folder: string;
  let rigs = 0;
  let rig: Rig;
  let remote: SimulatedBatchServer;
  let other: SimulatedBatchServer;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    await rig.close();
    await Promise.all([remote.stop(), other.stop()]);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** A batch whose create call met `fault`; from then on its provider answers nothing. `route`: native, or rescued by `other`. */
  async function begin(fault: BatchFault['fault'], route: 'native' | 'rescued'): Promise<string> {
    remote = await startOpenAIBatchServer({ stop_at: 0.5, job_ms: 0, cancel_ms: 0 });
    other = await startOpenAIBatchServer();
    const openai = (at: SimulatedBatchServer) => ({
      ...{ kind: 'openai', base_url: at.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] },
    });
    const target = { model: 'gpt-4o-mini', mode: 'batch' };
    const native = { strategy: { mode: 'single' }, targets: [{ ...target, provider: 'openai' }] };
    const rescue = { after: '1h', to: { ...target, provider: 'other' } };
    rig = await openRig(`${folder}/${rigs++}`, {
      providers: { openai: openai(remote), other: openai(other) },
      routes: { native, rescued: { ...native, rescue } },
      settings: { poll_seconds_min: 1 },
    });
    const id = await beginBatch(rig.deps, chatLines(LINES), { config: route, completion_window: '3h' });
    remote.configure({ faults: [{ on: 'create', fault }] });
    const isSent = async () => (await shard(id))?.state === 'submitting';
    expect(await workUntil(rig.deps, isSent)).toBe(true);
    remote.configure({ faults: SILENT });
    return id;
  }

  const row = (id: string) => rig.deps.store.batches.get('all', id);
  const shard = async (id: string) =>
    (await rig.deps.store.shards.list(id)).find(({ provider }) => provider === 'openai');

  async function workToEnd(id: string) {
    const isEnded = async () => isTerminal((await row(id))?.status ?? 'validating');
    expect(await workUntil(rig.deps, isEnded, { between: () => rig.advance(60), rounds: 400 })).toBe(true);
  }

  const ALERT = { code: 'submit_unknown', shards: 1, reason: null, provider: 'openai' };

  it('is told of while its lines wait for the provider', async () => {
    const id = await begin('lose_answer', 'native');
    expect(await countAlerts(rig.deps)).toEqual([]);
    await workUntil(rig.deps, () => false, { between: () => rig.advance(60), rounds: 12 });
    expect(await countAlerts(rig.deps)).toEqual([ALERT]);
    expect((await presentShards(rig.deps, id, false))[0]).toMatchObject({ alert: { code: 'submit_unknown' } });
  });

  it.each(['native', 'rescued'] as const)(
    'is found once the provider lists it (%s): it is stopped, and what it did takes the place of what was not known',
    async (route) => {
      const id = await begin('lose_answer', route);
      await workToEnd(id);
      const ended = await row(id);
      expect(ended).toMatchObject({ unpricedEntries: LINES, ...(route === 'rescued' && { completed: LINES }) });
      const own = route === 'rescued' ? ended!.amountNano : 0n;
      expect(remote.held().live).toBe(1);
      expect(await countAlerts(rig.deps)).toEqual([ALERT]);
      expect((await presentShards(rig.deps, id, false))[0]).toMatchObject({ alert: { code: 'submit_unknown' } });
      // The search for orphans leaves alone what is looked for.
      rig.advance(2 * 3_600);
      remote.configure({ faults: [] });
      await sweepProviders(rig.deps, AbortSignal.timeout(10_000));
      expect(remote.held().live).toBe(1);

      const isCleaned = async () => (await shard(id))?.cleanedAt !== null;
      expect(await workUntil(rig.deps, isCleaned, { between: () => rig.advance(600) })).toBe(true);
      expect([remote.counters.batches_created, remote.held()]).toEqual([1, NOTHING]);
      expect(await countAlerts(rig.deps)).toEqual([]);
      const entries = (await entriesOf(rig.deps, id)).filter(({ provider }) => provider === 'openai');
      const kinds = Map.groupBy(entries, ({ adjustment }) => adjustment?.kind ?? 'first');
      expect([...kinds].map(([kind, { length }]) => [kind, length]).toSorted()).toEqual([
        ['correction', LINES / 2],
        ['first', LINES],
        ['reversal', LINES],
      ]);
      const told = kinds.get('correction') ?? [];
      expect(told.every(({ status, amountNano }) => status === 'superseded' && Number(amountNano) > 0)).toBe(true);
      const cost = told.reduce((sum, { amountNano }) => sum + BigInt(amountNano ?? 0), 0n);
      const after = await row(id);
      expect(after).toMatchObject({ amountNano: own + cost, unpricedEntries: 0 });
      const [sums] = await rig.deps.store.ledger.summary({ tenantId: null, provider: 'openai' }, ['provider'], null);
      expect(sums).toMatchObject({ entries: LINES / 2, unpricedEntries: 0, amountNano: cost });
      expect((await shard(id))?.amountNano).toBe(cost);
      const [submitted] = await rig.deps.store.shards.submitted({ from: 0, to: 10 ** 11, after: null, limit: 1 });
      expect(submitted?.ledger.amountNano).toBe(cost);
    },
  );

  it('is found though its provider listed it so late that it was made again: stopped, and what it did entered', async () => {
    const id = await begin('lose_answer', 'native');
    remote.configure({ faults: [] });
    const api = rig.deps.providers.get('openai')!.batch!;
    const { find } = api;
    Object.assign(api, { find: () => Promise.resolve(null) });
    const isMadeAgain = () => remote.counters.batches_created === 2;
    expect(await workUntil(rig.deps, isMadeAgain, { between: () => rig.advance(60) })).toBe(true);
    Object.assign(api, { find });
    expect(await presentShards(rig.deps, id, false)).toHaveLength(1);
    expect(await countAlerts(rig.deps)).toEqual([]);
    // The first stands still at its half; the second one ends.
    remote.configure({ stop_at: null });
    await workToEnd(id);
    const own = (await row(id))!.amountNano;
    expect(await row(id)).toMatchObject({ completed: LINES, entries: LINES, unpricedEntries: 0 });

    rig.advance(3_600);
    expect(await sweepProviders(rig.deps, AbortSignal.timeout(10_000))).toBeGreaterThan(0);
    const isCleaned = async () => (await presentShards(rig.deps, id, false)).every(({ state }) => state === 'done');
    expect(await workUntil(rig.deps, isCleaned, { between: () => rig.advance(600) })).toBe(true);
    await workUntil(rig.deps, () => false, { rounds: 2 });
    await sweepProviders(rig.deps, AbortSignal.timeout(10_000));
    expect([remote.counters.batches_created, remote.held()]).toEqual([2, NOTHING]);
    const entries = await entriesOf(rig.deps, id);
    const waste = entries.filter(({ status }) => status === 'superseded');
    expect([entries.length, waste.length > 0]).toEqual([LINES + waste.length, true]);
    const cost = waste.reduce((sum, { amountNano }) => sum + BigInt(amountNano ?? 0), 0n);
    expect(cost).toBeGreaterThan(0n);
    expect(await row(id)).toMatchObject({ completed: LINES, amountNano: own + cost, unpricedEntries: 0 });
    expect(
      (await presentShards(rig.deps, id, false)).map(({ amount_nano_usd: nano }) => BigInt(nano)).toSorted(),
    ).toEqual([own, cost].toSorted());
  });

  it('that made nothing leaves nothing open, once the provider has listed no such batch for a day', async () => {
    const id = await begin(503, 'native');
    await workToEnd(id);
    expect(await row(id)).toMatchObject({ failed: LINES, unpricedEntries: LINES });
    remote.configure({ faults: [] });
    const isCleaned = async () => (await shard(id))?.cleanedAt !== null;
    await workUntil(rig.deps, isCleaned, { between: () => rig.advance(600), rounds: 3 });
    expect(await row(id)).toMatchObject({ unpricedEntries: LINES });
    rig.advance(DAY);
    expect(await workUntil(rig.deps, isCleaned, { between: () => rig.advance(600) })).toBe(true);
    expect(await row(id)).toMatchObject({ unpricedEntries: 0, entries: 0, amountNano: 0n });
    expect([remote.counters.batches_created, remote.held()]).toEqual([0, NOTHING]);
    expect(await countAlerts(rig.deps)).toEqual([]);
  });

  it('at a provider that never answers again stays open, and is looked for no longer than any would keep it', async () => {
    const id = await begin('lose_answer', 'native');
    await workToEnd(id);
    rig.advance(31 * DAY);
    const isDone = async () => (await shard(id))?.state === 'done';
    expect(await workUntil(rig.deps, isDone, { between: () => rig.advance(600) })).toBe(true);
    expect(await row(id)).toMatchObject({ unpricedEntries: LINES });
  });
});
