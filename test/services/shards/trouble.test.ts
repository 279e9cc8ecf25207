/** Provider batches whose service misbehaves for minutes or hours: the clock is moved on in place of the wait. */
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { ShardRunner } from '../../../src/services/shards/run.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const NOTHING = { live: 0, files: 0 };

describe('a provider batch', () => {
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

  async function service(options: Parameters<typeof startOpenAIBatchServer>[0] = {}): Promise<SimulatedBatchServer> {
    const started = await startOpenAIBatchServer(options);
    open.push({ close: () => started.stop() });
    return started;
  }

  async function rigOn(remote: SimulatedBatchServer, settings: object = {}, name = `${rigs++}`): Promise<Rig> {
    const openai = { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] };
    const routes = {
      native: {
        strategy: { mode: 'single' },
        targets: [{ provider: 'openai', model: 'gpt-4o-mini', mode: 'batch' }],
      },
    };
    const rig = await openRig(`${folder}/${name}`, {
      providers: { openai },
      routes,
      settings: { poll_seconds_min: 1, ...settings },
    });
    open.push(rig);
    return rig;
  }

  it('whose results are damaged in every download for a while is read again until they are whole', async () => {
    const remote = await service({ faults: [{ on: 'content', fault: 'change', times: 6 }] });
    const rig = await rigOn(remote);
    const id = await beginBatch(rig.deps, chatLines(30));
    const isDone = await workUntil(rig.deps, () => isSettled(rig.deps, id), { between: () => rig.advance(30) });
    expect(isDone).toBe(true);
    expect(await rig.deps.store.batches.get('all', id)).toMatchObject({ completed: 30, failed: 0, entries: 30 });
    expect(remote.counters.batches_created).toBe(1);
  });

  it('whose results stay damaged is given up after an hour, its lines entered as what nobody can price', async () => {
    const remote = await service({ faults: [{ on: 'content', fault: 'change', times: null }] });
    const rig = await rigOn(remote);
    const id = await beginBatch(rig.deps, chatLines(30), { config: 'native' });
    const started = rig.deps.clock.now();
    const between = () => rig.advance(60);
    const isDone = await workUntil(rig.deps, () => isSettled(rig.deps, id), { between, rounds: 100 });
    expect(isDone).toBe(true);
    expect(rig.deps.clock.now() - started).toBeGreaterThan(3_600_000);
    expect(await rig.deps.store.batches.get('all', id)).toMatchObject({ completed: 0, failed: 30, entries: 30 });
    const entries = await entriesOf(rig.deps, id);
    expect(entries.every(({ status, amountNano }) => status === 'unknown' && amountNano === null)).toBe(true);
  });

  it('with a few lines that make no sense however often they are read fails those lines alone', async () => {
    const remote = await service({ faults: [{ on: 'content', fault: 'change', times: null }] });
    const rig = await rigOn(remote);
    const id = await beginBatch(rig.deps, chatLines(3), { config: 'native' });
    const isDone = await workUntil(rig.deps, () => isSettled(rig.deps, id), { between: () => rig.advance(20) });
    expect(isDone).toBe(true);
    expect(await rig.deps.store.batches.get('all', id)).toMatchObject({ completed: 0, failed: 3, entries: 3 });
  });

  it('whose upload succeeded without an answer leaves no file behind when it is submitted again', async () => {
    const remote = await service({ faults: [{ on: 'upload', fault: 'lose_answer', times: 2 }], job_ms: 60_000 });
    const rig = await rigOn(remote);
    const id = await beginBatch(rig.deps, chatLines(10));
    const isRunning = async () => (await rig.deps.store.shards.list(id))[0]?.state === 'running';
    expect(await workUntil(rig.deps, isRunning, { between: () => rig.advance(15) })).toBe(true);
    expect(remote.held()).toEqual({ live: 1, files: 1 });
    expect(remote.counters.batches_created).toBe(1);
  });

  it.each(['submit', 'poll', 'results'] as const)(
    'whose worker is frozen in %s past its lease, while another takes over, is made and entered once',
    async (frozen) => {
      const remote = await service();
      const name = `frozen-${frozen}`;
      const slow = await rigOn(remote, {}, name);
      const id = await beginBatch(slow.deps, chatLines(25));
      const provider = slow.deps.providers.get('openai');
      if (!provider?.batch) throw new Error('the provider has no batch service');
      const reached = Promise.withResolvers<void>();
      const thaw = Promise.withResolvers<void>();
      const { batch } = provider;
      const freeze = async () => {
        reached.resolve();
        await thaw.promise;
      };
      const frozenBatch = {
        ...batch,
        submit: async (...args: Parameters<typeof batch.submit>) => {
          // The provider has made it; the worker stands still before it can note that.
          const made = await batch.submit(...args);
          if (frozen === 'submit') await freeze();
          return made;
        },
        poll: async (...args: Parameters<typeof batch.poll>) => {
          const progress = await batch.poll(...args);
          if (frozen === 'poll') await freeze();
          return progress;
        },
        results: async function* (...args: Parameters<typeof batch.results>) {
          if (frozen === 'results') await freeze();
          yield* batch.results(...args);
        },
      };
      const deps = {
        ...slow.deps,
        providers: new Map([['openai', { ...provider, convert: provider.convert.bind(provider), batch: frozenBatch }]]),
      };
      const stuck = workUntil(deps, () => isSettled(deps, id), { between: () => slow.advance(15) });
      await reached.promise;

      const other = await rigOn(remote, {}, name);
      other.advance(700);
      const runner = new ShardRunner(other.deps);
      const isDone = () => isSettled(other.deps, id);
      expect(await workUntil(other.deps, isDone, { runner, between: () => other.advance(15) })).toBe(true);
      thaw.resolve();
      await stuck;
      expect(await other.deps.store.batches.get('all', id)).toMatchObject({ completed: 25, failed: 0, entries: 25 });
      expect(remote.counters.batches_created).toBe(1);
      expect(remote.held()).toEqual(NOTHING);
    },
  );
});
