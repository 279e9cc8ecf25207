/** Many provider batches at once: how often their services are called, and whom one service can hold up. */
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { BatchApi } from '../../../providers/contract.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { countAlerts } from '../../../src/services/shards/alerts.ts';
import { presentShards } from '../../../src/services/shards/present.ts';
import { ShardRunner } from '../../../src/services/shards/run.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const SHARDS = 5_000;
const PER_SECOND = 10;

describe('many provider batches', () => {
  let folder: string;
  const open: { close(): Promise<void> }[] = [];
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function service(options: Parameters<typeof startOpenAIBatchServer>[0] = {}): Promise<SimulatedBatchServer> {
    const started = await startOpenAIBatchServer(options);
    open.push({ close: () => started.stop() });
    return started;
  }

  async function rigOn(name: string, services: Record<string, SimulatedBatchServer>, settings: object): Promise<Rig> {
    const providers = Object.entries(services).map(([model, at]) => {
      const config = {
        kind: 'openai',
        base_url: at.baseUrl,
        api_key: 'sk-test',
        models: [model],
        price: { input: '1', output: '1' },
      };
      return [model, config] as const;
    });
    const rig = await openRig(`${folder}/${name}`, { providers: Object.fromEntries(providers), settings });
    open.push(rig);
    return rig;
  }

  /** `deps` whose providers tell of each call of `member`, by provider, before they make it. */
  function watching(deps: Deps, member: 'poll' | 'submit', tell: (provider: string) => Promise<void> | void): Deps {
    const providers = [...deps.providers].map(([name, provider]) => {
      const batch = provider.batch as BatchApi;
      const watched = async (...args: [never, never]) => {
        await tell(name);
        return batch[member](...args);
      };
      const convert = provider.convert.bind(provider);
      return [name, { ...provider, convert, batch: { ...batch, [member]: watched } }] as const;
    });
    return { ...deps, providers: new Map(providers) };
  }

  const linesFor = (model: string, count = 3) => chatLines(count, () => ({ model }));
  const stateOf = async (deps: Deps, id: string) => (await deps.store.shards.list(id))[0]?.state;

  it('that are all due after a restart are asked about at a steady pace, and keep no other provider waiting', async () => {
    const remote = await service({ stop_at: 0.5, job_ms: 1 });
    const settings = { poll_seconds_min: 10, shard_steps_per_second: PER_SECOND };
    const rig = await rigOn('restart', { many: remote, few: remote }, settings);
    const many = await beginBatch(rig.deps, linesFor('many'));
    const few = await beginBatch(rig.deps, linesFor('few'));
    const running = async () =>
      (await stateOf(rig.deps, many)) === 'running' && (await stateOf(rig.deps, few)) === 'running';
    expect(await workUntil(rig.deps, running)).toBe(true);
    const [first] = await rig.deps.store.shards.list(many);
    if (!first) throw new Error('the batch has no shard');
    const overdue = Math.floor(rig.deps.clock.now() / 1000) - 600;
    const { amountNano: _amount, entries: _entries, ...row } = first;
    await rig.deps.store.shards.insertMany(
      Array.from({ length: SHARDS }, (_, index) => ({ ...row, id: `${row.id}-copy-${index}`, nextAt: overdue })),
    );
    rig.advance(20);

    const polls: { provider: string; at: number }[] = [];
    const deps = watching(rig.deps, 'poll', (provider) => {
      polls.push({ provider, at: rig.deps.clock.now() });
    });
    const began = rig.deps.clock.now();
    const seconds = () => (rig.deps.clock.now() - began) / 1000;
    // The clock goes on by itself, too, while the calls are made.
    await workUntil(deps, () => seconds() >= 10, { between: () => rig.advance(0.25), rounds: 200 });
    const often = polls.filter(({ provider }) => provider === 'many').map(({ at }) => at);
    for (const from of often) {
      expect(often.filter((at) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(2 * PER_SECOND);
    }
    expect(often.length).toBeLessThanOrEqual(PER_SECOND * (seconds() + 1));
    expect(often.length).toBeGreaterThan(PER_SECOND * 5);
    const seldom = polls.find(({ provider }) => provider === 'few');
    expect((seldom?.at ?? Number.POSITIVE_INFINITY) - began).toBeLessThan(2_000);
    const again = (await rig.deps.store.shards.list(many)).map(({ nextAt }) => nextAt).filter((at) => at > overdue);
    // Jitter: those that were asked about together are not due together.
    expect(new Set(again).size).toBeGreaterThan(10);
  }, 60_000);

  it('of a service that hangs do not hold up those of another', async () => {
    const [hanging, healthy] = [await service({ job_ms: 10 ** 9 }), await service({ job_ms: 1 })];
    const rig = await rigOn('hang', { hanging, healthy }, { poll_seconds_min: 1 });
    const ids: string[] = [];
    for (let batch = 0; batch < 10; batch++) ids.push(await beginBatch(rig.deps, linesFor('hanging')));
    const areRunning = async () =>
      (await Promise.all(ids.map((id) => stateOf(rig.deps, id)))).every((state) => state === 'running');
    expect(await workUntil(rig.deps, areRunning)).toBe(true);
    const thaw = Promise.withResolvers<void>();
    let hung = 0;
    const deps = watching(rig.deps, 'poll', (provider) => {
      if (provider !== 'hanging') return;
      hung += 1;
      return thaw.promise;
    });
    rig.advance(60);
    const runner = new ShardRunner(deps);
    await runner.wake();
    const id = await beginBatch(rig.deps, linesFor('healthy'));
    // Rounds do not wait for the steps that hang.
    const patient = { wake: () => runner.wake(), idle: () => new Promise<void>((resolve) => setTimeout(resolve, 5)) };
    const between = () => rig.advance(0.1);
    const isDone = await workUntil(deps, () => isSettled(deps, id), { runner: patient, between, rounds: 3_000 });
    expect(isDone).toBe(true);
    expect(hung).toBeGreaterThan(0);
    expect(hung).toBeLessThan(8);
    thaw.resolve();
    await runner.idle();
  }, 60_000);

  it('of a target that needs an operator are tried one at a time, say so, and all run when it is mended', async () => {
    const remote = await service({ api_key: 'sk-other' });
    const rig = await rigOn('operator', { mini: remote }, { poll_seconds_min: 10 });
    let tries = 0;
    const deps = watching(rig.deps, 'submit', () => {
      tries += 1;
    });
    const runner = new ShardRunner(deps);
    const ids = [await beginBatch(rig.deps, linesFor('mini'))];
    expect(await workUntil(deps, () => tries === 1, { runner })).toBe(true);
    for (let batch = 0; batch < 6; batch++) ids.push(await beginBatch(rig.deps, linesFor('mini')));
    rig.advance(2);
    await workUntil(deps, () => false, { runner, rounds: 10 });
    expect(tries).toBe(1);
    const shown = await Promise.all(ids.map((id) => presentShards(deps, id, false)));
    for (const [shard] of shown) {
      expect(shard?.alert).toMatchObject({
        code: 'needs_operator',
        message: expect.stringMatching(/invalid_api_key/) as string,
      });
    }
    expect(await countAlerts(deps)).toEqual([
      { provider: 'mini', code: 'needs_operator', reason: 'invalid_api_key', shards: 1 },
    ]);
    remote.configure({ api_key: 'sk-test' });
    const areSettled = async () => (await Promise.all(ids.map((id) => isSettled(deps, id)))).every(Boolean);
    expect(await workUntil(deps, areSettled, { runner, between: () => rig.advance(10) })).toBe(true);
    expect(remote.counters.batches_created).toBe(7);
    expect(await countAlerts(deps)).toEqual([]);
  }, 30_000);
});
