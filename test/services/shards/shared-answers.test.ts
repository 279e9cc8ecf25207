/** Lines of provider batches that ask the same: who is asked, who pays, and what becomes of the others when that fails. */
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { BatchLimits } from '../../../providers/contract.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { isTerminal } from '../../../src/core/batch-state.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { ShardRunner } from '../../../src/services/shards/run.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, openRig, type Rig, workUntil } from './rig.ts';

/** `count` lines that ask `questions` different things, in turn. */
const alike = (count: number, questions: number, first = 0) =>
  chatLines(count, (index) => ({ messages: [{ role: 'user', content: `Ask ${first + (index % questions)}.` }] }));

describe('lines of provider batches that ask the same', () => {
  let folder: string;
  let rigs = 0;
  const open: { close(): Promise<void> }[] = [];
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Weir on one service; `limits` are what the service says of its batches. Route `both` also takes single requests. */
  async function start(
    options: Parameters<typeof startOpenAIBatchServer>[0] = {},
    limits: Partial<BatchLimits> = {},
  ): Promise<{ remote: SimulatedBatchServer; rig: Rig; deps: Deps }> {
    const remote = await startOpenAIBatchServer(options);
    open.push({ close: () => remote.stop() });
    const cache = { mode: 'simple', max_age: 86_400 };
    const target = { provider: 'openai', model: 'gpt-4o-mini', cache };
    const rig = await openRig(`${folder}/${rigs++}`, {
      providers: {
        openai: { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] },
      },
      routes: { kept: { ...target, mode: 'batch' }, both: target },
      settings: { poll_seconds_min: 1 },
    });
    open.push(rig);
    const provider = rig.deps.providers.get('openai');
    if (!provider?.batch) throw new Error('the provider has no batch service');
    const batch = { ...provider.batch, limits: { ...provider.batch.limits, ...limits } };
    const bounded = { ...provider, convert: provider.convert.bind(provider), batch };
    return { remote, rig, deps: { ...rig.deps, providers: new Map([['openai', bounded]]) } };
  }

  async function batchOf(deps: Deps, id: string) {
    const batch = await deps.store.batches.get('all', id);
    if (!batch) throw new Error('the batch is gone');
    return batch;
  }

  /** Works until the batches have ended; nothing is noted as asked then. */
  async function workToEnd({ rig, deps }: { rig: Rig; deps: Deps }, ...ids: string[]) {
    const ended = async () => {
      const batches = await Promise.all(ids.map((id) => batchOf(deps, id)));
      const shards = await Promise.all(ids.map((id) => deps.store.shards.list(id)));
      return batches.every(({ status }) => isTerminal(status)) && shards.flat().every(({ state }) => state === 'done');
    };
    expect(await workUntil(deps, ended, { between: () => rig.advance(60), rounds: 400 })).toBe(true);
    for (const id of ids) {
      for (const shard of await deps.store.shards.list(id)) {
        expect(await deps.store.shards.askedLines(shard.id)).toEqual([]);
      }
    }
  }

  const state =
    (deps: Deps, id: string, index = 0) =>
    async () =>
      (await deps.store.shards.list(id))[index]?.state;

  /** Numbers of entries that were paid, and that were not. */
  async function accounts(deps: Deps, id: string) {
    const entries = await entriesOf(deps, id);
    const paid = entries.filter(({ amountNano }) => amountNano !== 0).length;
    return { paid, free: entries.length - paid };
  }

  it('are bought once over several shards, each with an entry that tells what it avoided', async () => {
    const at = await start({}, { lines: 8 });
    const { deps, remote } = at;
    const id = await beginBatch(deps, alike(24, 5), { config: 'kept' });
    await workToEnd(at, id);
    expect(await batchOf(deps, id)).toMatchObject({ status: 'completed', completed: 24, failed: 0, entries: 24 });
    expect(remote.counters.lines_run).toBe(5);
    expect(await accounts(deps, id)).toEqual({ paid: 5, free: 19 });
    const entries = await entriesOf(deps, id);
    const prices = new Set(entries.filter(({ amountNano }) => amountNano !== 0).map(({ amountNano }) => amountNano));
    for (const entry of entries.filter(({ amountNano }) => amountNano === 0)) {
      expect(prices).toContain(entry.listAmountNano);
      expect(entry).toMatchObject({ mode: 'batch', status: 'succeeded', usage: null, inputTokens: 0, attempt: 1 });
    }
    // Another file of the same questions needs no provider at all, even a service without room.
    const created = remote.counters.batches_created;
    remote.configure({ max_files: 0 });
    const again = await beginBatch(deps, alike(12, 5), { config: 'kept' });
    await workToEnd(at, again);
    expect(await batchOf(deps, again)).toMatchObject({ status: 'completed', completed: 12, amountNano: 0n });
    expect(remote.counters).toMatchObject({ lines_run: 5, batches_created: created });
  });

  it('are all bought where neither route nor key allows an answer to be given again', async () => {
    const at = await start();
    const id = await beginBatch(at.deps, alike(12, 4));
    await workToEnd(at, id);
    expect(at.remote.counters.lines_run).toBe(12);
    expect(await accounts(at.deps, id)).toEqual({ paid: 12, free: 0 });
  });

  it('fail together when the one that was asked fails by its own fault, and are not asked again', async () => {
    const at = await start({ line_faults: [{ contains: 'Ask 1.', status: 400 }] }, { lines: 12 });
    const id = await beginBatch(at.deps, alike(12, 4), { config: 'kept' });
    await workToEnd(at, id);
    expect(await batchOf(at.deps, id)).toMatchObject({ status: 'completed', completed: 9, failed: 3 });
    expect(at.remote.counters.lines_run).toBe(4);
    expect(await entriesOf(at.deps, id)).toHaveLength(10);
  });

  it('go on to single requests together when the service fails the one that was asked', async () => {
    const at = await start({ line_faults: [{ contains: 'Ask 1.', status: 500 }] }, { lines: 12 });
    const id = await beginBatch(at.deps, alike(12, 4), { config: 'both' });
    const isLeft = async () => (await at.deps.store.segments.backlog()).length > 0;
    expect(await workUntil(at.deps, isLeft, { between: () => at.rig.advance(60) })).toBe(true);
    const [left] = await at.deps.store.segments.claim({ now: 1e10, until: 1e10, token: 't', limit: 5, exclude: [] });
    expect(left).toMatchObject({ firstLine: 1, lastLine: 9, lines: 3 });
    expect(await batchOf(at.deps, id)).toMatchObject({ status: 'in_progress', completed: 9, failed: 0 });
  });

  it('fail together when the service’s validation names the one that was asked', async () => {
    const at = await start({ refuse_lines: [4] }, { lines: 12 });
    const id = await beginBatch(at.deps, alike(12, 4), { config: 'kept' });
    await workToEnd(at, id);
    expect(await batchOf(at.deps, id)).toMatchObject({ status: 'completed', completed: 9, failed: 3, entries: 9 });
    expect(at.remote.counters.lines_run).toBe(3);
  });

  it('fill a provider batch up to the least number of lines that its service takes', async () => {
    const at = await start({}, { linesMin: 20 });
    const { deps, remote } = at;
    const first = await beginBatch(deps, alike(30, 15), { config: 'kept' });
    await workToEnd(at, first);
    expect(remote.counters.lines_run).toBe(20);
    expect(await accounts(deps, first)).toEqual({ paid: 20, free: 10 });
    // Two new questions among known ones: the others are asked again, as there is no other way to ask the two.
    const second = await beginBatch(deps, alike(30, 10, 7), { config: 'kept' });
    await workToEnd(at, second);
    expect(await batchOf(deps, second)).toMatchObject({ status: 'completed', completed: 30, failed: 0 });
    expect(remote.counters.lines_run).toBe(40);
    expect(await accounts(deps, second)).toEqual({ paid: 20, free: 10 });
    // A few new ones that may go singly do, and the others cost nothing.
    const third = await beginBatch(deps, alike(30, 10, 10), { config: 'both' });
    const isLeft = async () => (await deps.store.segments.backlog()).length > 0;
    expect(await workUntil(deps, isLeft, { between: () => at.rig.advance(60) })).toBe(true);
    expect(remote.counters.lines_run).toBe(40);
    expect(await batchOf(deps, third)).toMatchObject({ completed: 21, failed: 0 });
  });

  it('wait for the other batch that asks them, and ask for themselves when it is cancelled', async () => {
    const at = await start({ job_ms: 10 ** 9 }, { lines: 50 });
    const { deps, remote, rig } = at;
    const first = await beginBatch(deps, alike(20, 10), { config: 'kept' });
    expect(await workUntil(deps, async () => (await state(deps, first)()) === 'running')).toBe(true);
    // Ten of its lines are new.
    const second = await beginBatch(deps, alike(40, 20), { config: 'kept' });
    const third = await beginBatch(deps, alike(10, 10), { config: 'kept' });
    expect(await workUntil(deps, async () => (await state(deps, second)()) === 'running')).toBe(true);
    let looks = 0;
    const findAll = (...asked: Parameters<typeof deps.answers.findAll>) => {
      looks += 1;
      return deps.answers.findAll(...asked);
    };
    const counted = {
      ...deps,
      answers: Object.assign(Object.create(deps.answers) as typeof deps.answers, { findAll }),
    };
    const runner = new ShardRunner(counted);
    for (let round = 0; round < 8; round++) {
      rig.advance(120);
      await workUntil(counted, () => true, { runner });
    }
    expect(await state(deps, third)()).toBe('pending');
    // Its lines are looked at once; then whoever asks for them.
    expect(looks).toBe(1);
    await deps.store.batches.cancel('all', first, Math.floor(deps.clock.now() / 1000));
    await workToEnd(at, first);
    remote.configure({ job_ms: 1 });
    await workToEnd(at, first, second, third);
    expect(await batchOf(deps, first)).toMatchObject({ status: 'cancelled', completed: 0, failed: 20 });
    expect(await batchOf(deps, second)).toMatchObject({ status: 'completed', completed: 40, failed: 0 });
    expect(await batchOf(deps, third)).toMatchObject({ status: 'completed', completed: 10, failed: 0 });
    const [of2, of3] = [await accounts(deps, second), await accounts(deps, third)];
    expect(of2.paid + of3.paid).toBe(20);
    expect(of2.free + of3.free).toBe(30);
  });

  it('do not wait for another batch for more than a quarter of their window', async () => {
    const at = await start({ job_ms: 10 ** 9 });
    const { deps, remote, rig } = at;
    await beginBatch(deps, alike(10, 10), { config: 'kept', completion_window: '7d' });
    expect(await workUntil(deps, () => remote.counters.batches_created === 1)).toBe(true);
    const started = deps.clock.now();
    await beginBatch(deps, alike(10, 10), { config: 'kept', completion_window: '24h' });
    const isMade = () => remote.counters.batches_created === 2;
    expect(await workUntil(deps, isMade, { between: () => rig.advance(600), rounds: 100 })).toBe(true);
    expect((deps.clock.now() - started) / 3_600_000).toBeGreaterThan(6);
    expect((deps.clock.now() - started) / 3_600_000).toBeLessThan(8);
  });

  it('are entered as unknown only where they were asked, when the answers are lost', async () => {
    const at = await start({ faults: [{ on: 'content', fault: 'change', times: null }] }, { lines: 50 });
    const id = await beginBatch(at.deps, alike(40, 20), { config: 'kept' });
    await workToEnd(at, id);
    expect(await batchOf(at.deps, id)).toMatchObject({ status: 'completed', completed: 0, failed: 40, entries: 20 });
    expect((await entriesOf(at.deps, id)).every(({ status }) => status === 'unknown')).toBe(true);
  });

  it('that expire with the one that was asked say so', async () => {
    const at = await start({ job_ms: 10 ** 9 }, { lines: 8 });
    const id = await beginBatch(at.deps, alike(24, 4), { config: 'kept', completion_window: '2h' });
    await workToEnd(at, id);
    expect(await batchOf(at.deps, id)).toMatchObject({ status: 'expired', completed: 0, failed: 24 });
    expect(at.remote.held().live).toBe(0);
  });
});
