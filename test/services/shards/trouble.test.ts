/** Provider batches whose service misbehaves for minutes or hours: the clock is moved on in place of the wait. */
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { BatchCall, BatchResult, ShardInput } from '../../../providers/contract.ts';
import { ProviderError } from '../../../providers/contract.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { isTerminal } from '../../../src/core/batch-state.ts';
import { refusal } from '../../../src/core/failure.ts';
import { sweepParts } from '../../../src/services/batches/sweep.ts';
import { committedLines } from '../../../src/services/results/committed-lines.ts';
import { sweepProviders } from '../../../src/services/shards/orphans.ts';
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

  const openai = (at: SimulatedBatchServer) => ({
    kind: 'openai',
    base_url: at.baseUrl,
    api_key: 'sk-test',
    models: ['gpt-4o-mini'],
  });

  /** Weir on one service, by the route `native` without anything else, or with `other` to which lines go after an hour. */
  async function rigOn(remote: SimulatedBatchServer, change: { name?: string; other?: SimulatedBatchServer } = {}) {
    const { name = `${rigs++}`, other } = change;
    const target = { model: 'gpt-4o-mini', mode: 'batch' };
    const native = { strategy: { mode: 'single' }, targets: [{ ...target, provider: 'openai' }] };
    const rescue = { after: '1h', to: { ...target, provider: 'other' } };
    const rig = await openRig(`${folder}/${name}`, {
      providers: { openai: openai(remote), ...(other && { other: openai(other) }) },
      routes: { native, ...(other && { rescued: { ...native, rescue } }) },
      settings: { poll_seconds_min: 1 },
    });
    open.push(rig);
    return rig;
  }

  /** Works, with a minute between rounds, until the batch has a final status; answers its row. */
  async function workToEnd(rig: Rig, id: string, rounds = 200) {
    const ended = async () => isTerminal((await rig.deps.store.batches.get('all', id))?.status ?? 'validating');
    expect(await workUntil(rig.deps, ended, { between: () => rig.advance(60), rounds })).toBe(true);
    const batch = await rig.deps.store.batches.get('all', id);
    if (!batch) throw new Error('the batch is gone');
    return batch;
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

  /** Weir on one service, whose answer to line 6 is damaged in the first download. */
  async function rigWithShakyAnswers(remote: SimulatedBatchServer) {
    const rig = await rigOn(remote);
    const provider = rig.deps.providers.get('openai');
    if (!provider?.batch) throw new Error('the provider has no batch service');
    const { batch } = provider;
    const failure = { ...refusal('bad_response', 'bad_response', 'Damaged.'), reachedProvider: true };
    const damaged = { ok: false, failure, usage: null, rawUsage: null, body: null, requestId: null } as const;
    const count = { readings: 0 };
    const results = async function* (...asked: Parameters<typeof batch.results>) {
      count.readings += 1;
      const answers: BatchResult[] = [];
      for await (const answer of batch.results(...asked)) answers.push(answer);
      for (const answer of answers.toSorted((a, b) => Number(a.key?.slice(2)) - Number(b.key?.slice(2)))) {
        yield count.readings === 1 && answer.key === 'l-6' ? { ...answer, result: damaged } : answer;
      }
    };
    const shaky = { ...provider, convert: provider.convert.bind(provider), batch: { ...batch, results } };
    const deps = { ...rig.deps, providers: new Map([['openai', shaky]]) };
    const isLeft = async () => (await deps.store.segments.backlog()).length > 0;
    const untilLeft = () => workUntil(deps, isLeft, { between: () => rig.advance(30) });
    return { deps, count, untilLeft };
  }

  it('keeps what an earlier look at its damaged results has settled, beside lines that go on', async () => {
    const remote = await service({ line_faults: [{ contains: 'Question 0:', status: 500 }] });
    const { deps, count, untilLeft } = await rigWithShakyAnswers(remote);
    const id = await beginBatch(deps, chatLines(30));
    expect(await untilLeft()).toBe(true);
    expect(count.readings).toBe(2);
    expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: 29, failed: 0, entries: 30 });
    const settled = await committedLines(deps, { batchId: id, firstLine: 0, lastLine: 29 });
    expect([...settled].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 29 }, (_, index) => index + 1));
  });

  it('has an answer that is to be tried again judged alike in every look at its results', async () => {
    const { deps, count, untilLeft } = await rigWithShakyAnswers(await service());
    const config = { provider: 'openai', model: 'gpt-4o-mini', on_truncation: 'retry' };
    const lines = chatLines(30, (index) => ({ max_tokens: index < 10 ? 2 : 512 }));
    const id = await beginBatch(deps, lines, { config });
    expect(await untilLeft()).toBe(true);
    expect(count.readings).toBe(2);
    expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: 20, failed: 0, entries: 30 });
    // What is kept of each is so for as long as it may be wanted, once.
    await deps.clock.sleep(2 * 86_400_000);
    await sweepParts(deps, { after: null, limit: 1_000 });
    const spares = await deps.store.shards.spares(id, 0, 29);
    expect(spares.reduce((sum, { count }) => sum + count, 0)).toBe(10);
    for (const { key, bytes } of spares) expect(await deps.files.size(key)).toBe(bytes);
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

  it('that cannot be asked about any more is left on time: its lines run elsewhere, and what it did is entered', async () => {
    const [remote, other] = [await service({ job_ms: 1 }), await service()];
    const rig = await rigOn(remote, { other });
    const id = await beginBatch(rig.deps, chatLines(20), { config: 'rescued' });
    const shards = () => rig.deps.store.shards.list(id);
    expect(await workUntil(rig.deps, async () => (await shards())[0]?.state === 'running')).toBe(true);
    remote.configure({ faults: [{ on: 'any', fault: 500, times: null }] });
    const batch = await workToEnd(rig, id);
    expect(batch).toMatchObject({ status: 'completed', completed: 20, failed: 0, entries: 20 });
    expect(rig.deps.clock.now() / 1000 - batch.createdAt).toBeGreaterThan(3_600);
    expect(other.counters.batches_created).toBe(1);
    expect((await shards()).map(({ provider, state }) => `${provider} ${state}`)).toContain('openai abandoned');
    remote.configure({ faults: [] });
    const settled = async () => (await shards()).every((shard) => shard.cleanedAt !== null);
    expect(await workUntil(rig.deps, settled, { between: () => rig.advance(600) })).toBe(true);
    expect((await entriesOf(rig.deps, id)).filter(({ status }) => status === 'superseded')).toHaveLength(20);
    expect([remote.held(), other.held()]).toEqual([NOTHING, NOTHING]);
  });

  /**
   * Weir on a service of which `isShown` says, by line and minutes since the first look, whether an answer is there. `isWhole`:
   * no reading fails at its end.
   */
  async function rigShowing(isShown: (line: number, minutes: number) => boolean, isWhole = true) {
    const rig = await rigOn(await service());
    const provider = rig.deps.providers.get('openai');
    if (!provider?.batch) throw new Error('the provider has no batch service');
    const { batch } = provider;
    let first: number | null = null;
    const results = async function* (...asked: Parameters<typeof batch.results>) {
      first ??= rig.deps.clock.now();
      const minutes = (rig.deps.clock.now() - first) / 60_000;
      for await (const answer of batch.results(...asked)) {
        if (isShown(Number(answer.key?.slice(2)), minutes)) yield answer;
      }
      if (!isWhole) throw new ProviderError(refusal('bad_response', 'results_incomplete', 'Some answers are missing.'));
    };
    const short = { ...provider, convert: provider.convert.bind(provider), batch: { ...batch, results } };
    const deps = { ...rig.deps, providers: new Map([['openai', short]]) };
    const id = await beginBatch(deps, chatLines(20), { config: 'native' });
    expect(await workUntil(deps, () => isSettled(deps, id), { between: () => rig.advance(60), rounds: 100 })).toBe(
      true,
    );
    return { deps, id };
  }

  it('that ends with fewer answers than it counts has those it does not show entered as what nobody can price', async () => {
    const { deps, id } = await rigShowing((line) => line > 8);
    expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: 12, failed: 8, entries: 20 });
    const unknown = (await entriesOf(deps, id)).filter(({ status }) => status === 'unknown');
    expect(unknown.map(({ line }) => line).toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(unknown.every(({ amountNano }) => amountNano === null)).toBe(true);
  });

  it('that counts its lines while it runs, and at its end neither counts nor shows some, may have done those', async () => {
    const remote = await service({ stop_at: 0 });
    const rig = await rigOn(remote);
    const { batch } = rig.deps.providers.get('openai')!;
    const { poll, results } = { poll: batch!.poll.bind(batch), results: batch!.results.bind(batch) };
    const pollTwice: typeof poll = async (...asked) => {
      const progress = await poll(...asked);
      const counts = progress.state === 'running' ? { total: 20, succeeded: 0, failed: 0 } : null;
      return { ...progress, counts };
    };
    const some: typeof results = async function* (...asked) {
      for await (const answer of results(...asked)) if (Number(answer.key?.slice(2)) > 8) yield answer;
    };
    Object.assign(batch!, { poll: pollTwice, results: some });
    const id = await beginBatch(rig.deps, chatLines(20), { config: 'native' });
    const isCounted = async () => (await rig.deps.store.shards.list(id))[0]?.counts?.total === 20;
    expect(await workUntil(rig.deps, isCounted, { between: () => rig.advance(15) })).toBe(true);
    remote.configure({ stop_at: null });
    expect(await workToEnd(rig, id)).toMatchObject({ completed: 12, failed: 8, entries: 20, unpricedEntries: 8 });
  });

  it('of which some answers can never be read loses those alone', async () => {
    const { deps, id } = await rigShowing((line) => line > 8, false);
    expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: 12, failed: 8, entries: 20 });
    const unknown = (await entriesOf(deps, id)).filter(({ status }) => status === 'unknown');
    expect(unknown.map(({ line }) => line).toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('whose answers appear minutes after its end, some of them or all, is waited for and not bought again', async () => {
    const { deps, id } = await rigShowing((line, minutes) => minutes >= 5 || (line > 8 && minutes >= 2));
    expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: 20, failed: 0, entries: 20 });
    expect((await entriesOf(deps, id)).every(({ status }) => status === 'succeeded')).toBe(true);
  });

  it('that its provider knows no more has its lines entered as what nobody can price, also when they ran elsewhere', async () => {
    const [remote, other] = [await service({ job_ms: 1 }), await service()];
    const rig = await rigOn(remote, { other });
    const ids = [
      await beginBatch(rig.deps, chatLines(10), { config: 'native' }),
      await beginBatch(rig.deps, chatLines(10), { config: 'rescued' }),
    ];
    const shards = async () => (await Promise.all(ids.map((id) => rig.deps.store.shards.list(id)))).flat();
    const areRunning = async () => (await shards()).every(({ state }) => state === 'running');
    expect(await workUntil(rig.deps, async () => (await shards()).length === 2 && (await areRunning()))).toBe(true);
    const [native = '', rescued = ''] = ids;
    // One is forgotten while it is waited for; of the other nothing is heard until it was left, and then it is gone, too.
    remote.configure({ faults: [{ on: 'any', fault: 500, times: null }] });
    expect(await workToEnd(rig, rescued)).toMatchObject({ status: 'completed', completed: 10, entries: 10 });
    remote.configure({ faults: [{ on: 'any', fault: 404, times: null }] });
    expect(await workToEnd(rig, native)).toMatchObject({ completed: 0, failed: 10, entries: 10 });
    const isOver = async () => (await shards()).every(({ state }) => state === 'done');
    expect(await workUntil(rig.deps, isOver, { between: () => rig.advance(600) })).toBe(true);
    const entries = [...(await entriesOf(rig.deps, native)), ...(await entriesOf(rig.deps, rescued))];
    const unknown = entries.filter(({ status, amountNano }) => status === 'unknown' && amountNano === null);
    expect([unknown.length, entries.length]).toEqual([20, 30]);
  });

  it.each([
    ['that is not found once, long after it was made,', 'running', { on: 'poll', fault: 404, times: 1 }],
    ['whose results are refused for hours, as a key is wrong,', 'collecting', { on: 'any', fault: 401, times: null }],
    [
      'whose results fail when they are read for the first time in hours',
      'collecting',
      { on: 'any', fault: 500, times: 4 },
    ],
  ] as const)('%s is not given up', async (_what, state, fault) => {
    const remote = await service({ stop_at: 0.5 });
    const rig = await rigOn(remote);
    const id = await beginBatch(rig.deps, chatLines(20), { config: 'native' });
    const shard = async () => (await rig.deps.store.shards.list(id))[0];
    const hasCome = async () => (await shard())?.state === state;
    remote.configure({ faults: [{ on: 'content', fault: 500, times: null }] });
    expect(await workUntil(rig.deps, async () => (await shard())?.state === 'running')).toBe(true);
    if (state === 'collecting') remote.configure({ stop_at: null });
    expect(await workUntil(rig.deps, hasCome, { between: () => rig.advance(15) })).toBe(true);
    rig.advance(3 * 3_600);
    remote.configure({ faults: [fault] });
    await workUntil(rig.deps, () => false, { rounds: 6, between: () => rig.advance(1_800) });
    remote.configure({ stop_at: null, faults: [] });
    expect(await workToEnd(rig, id)).toMatchObject({ completed: 20, failed: 0, entries: 20, unpricedEntries: 0 });
    expect(remote.counters.batches_created).toBe(1);
  });

  it.each([
    ['answers nothing', [{ on: 'any', fault: 500, times: null }]],
    ['takes no cancel', [{ on: 'cancel', fault: 405, times: null }]],
  ] as const)('whose service %s does not keep a cancelled batch from its end', async (_what, faults) => {
    const remote = await service({ job_ms: 10 ** 9 });
    const rig = await rigOn(remote);
    const id = await beginBatch(rig.deps, chatLines(20), { config: 'native' });
    const isRunning = async () => (await rig.deps.store.shards.list(id))[0]?.state === 'running';
    expect(await workUntil(rig.deps, isRunning)).toBe(true);
    remote.configure({ faults: faults.map((fault) => ({ ...fault })) });
    await rig.deps.store.batches.cancel('all', id, Math.floor(rig.deps.clock.now() / 1000));
    expect(await workToEnd(rig, id)).toMatchObject({ status: 'cancelled', completed: 0, failed: 20 });
    // Once the service does as it is told, the batch is stopped there too.
    remote.configure({ faults: [] });
    const isDone = async () => remote.held().live === 0;
    expect(await workUntil(rig.deps, isDone, { between: () => rig.advance(600) })).toBe(true);
  });

  it.each([
    ['the key is refused', { api_key: 'sk-other' }],
    ['there is no room', { max_files: 0 }],
    ['nothing listens there', null],
  ] as const)(
    'that cannot be made as %s leaves its lines to the next target before the window ends',
    async (_why, change) => {
      const [remote, other] = [await service(change ?? {}), await service()];
      if (change === null) await remote.crash();
      const rig = await rigOn(remote, { other });
      const id = await beginBatch(rig.deps, chatLines(20), { config: 'rescued' });
      const batch = await workToEnd(rig, id);
      expect(batch).toMatchObject({ status: 'completed', completed: 20, failed: 0, entries: 20 });
      expect(rig.deps.clock.now() / 1000).toBeLessThan(batch.expiresAt);
      expect([remote.counters.batches_created, other.counters.batches_created]).toEqual([0, 1]);
    },
  );

  it('that fails as the account has no money left waits for an operator, whole, and runs once there is some', async () => {
    const remote = await service({ unpaid: true });
    const rig = await rigOn(remote);
    const id = await beginBatch(rig.deps, chatLines(20), { config: 'native' });
    expect(
      await workUntil(rig.deps, () => remote.counters.batches_created === 3, { between: () => rig.advance(60) }),
    ).toBe(true);
    const shards = await rig.deps.store.shards.list(id);
    expect(shards.map(({ lines }) => lines)).toEqual([20]);
    expect(await rig.deps.store.batches.get('all', id)).toMatchObject({ status: 'in_progress', failed: 0 });
    remote.configure({ unpaid: false });
    expect(await workToEnd(rig, id)).toMatchObject({ status: 'completed', completed: 20, failed: 0, entries: 20 });
    expect(remote.counters.batches_created).toBe(4);
  });

  it('whose worker stops while it claims is given back before the worker has stopped', async () => {
    const rig = await rigOn(await service());
    const id = await beginBatch(rig.deps, chatLines(3), { config: 'native' });
    const isMade = async () => (await rig.deps.store.shards.list(id)).length > 0;
    expect(
      await workUntil(rig.deps, isMade, { runner: { wake: async () => undefined, idle: async () => undefined } }),
    ).toBe(true);
    const { shards } = rig.deps.store;
    const [claimed, stopping] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const claimDue: typeof shards.claimDue = async (query) => {
      const due = await shards.claimDue(query);
      claimed.resolve();
      await stopping.promise;
      return due;
    };
    const get = (of: typeof shards, name: keyof typeof shards) => (name === 'claimDue' ? claimDue : of[name].bind(of));
    const slow = new Proxy(shards, { get: (of, name) => get(of, name as keyof typeof shards) });
    const runner = new ShardRunner({ ...rig.deps, store: { ...rig.deps.store, shards: slow } });
    const woken = runner.wake();
    await claimed.promise;
    const stopped = runner.stop();
    stopping.resolve();
    await stopped;
    expect(await shards.recover({ others: 'nobody' })).toBe(0);
    await woken;
  });

  it('that is refused for some lines which nobody names is cut in halves until those stand alone', async () => {
    const remote = await service();
    const rig = await rigOn(remote);
    const provider = rig.deps.providers.get('openai');
    if (!provider?.batch) throw new Error('the provider has no batch service');
    const { batch } = provider;
    let calls = 0;
    const submit = async (input: ShardInput, call: BatchCall) => {
      calls += 1;
      let text = '';
      for await (const chunk of input.open()) text += Buffer.from(chunk).toString();
      if (!text.includes('poison')) return batch.submit(input, call);
      const failure = refusal('invalid_request', 'invalid_batch', 'Some request is not valid.');
      throw new ProviderError({ ...failure, status: 400, reachedProvider: true });
    };
    const picky = { ...provider, convert: provider.convert.bind(provider), batch: { ...batch, submit } };
    const deps = { ...rig.deps, providers: new Map([['openai', picky]]) };
    const poison = [{ role: 'user', content: 'poison' }];
    const lines = chatLines(64, (index) => (index === 11 || index === 40 ? { messages: poison } : {}));
    const id = await beginBatch(deps, lines, { config: 'native' });
    expect(await workUntil(deps, () => isSettled(deps, id), { between: () => rig.advance(10), rounds: 120 })).toBe(
      true,
    );
    expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: 62, failed: 2, entries: 62 });
    expect(calls).toBeLessThanOrEqual(2 * 2 * 6 + 1);
    expect(remote.held()).toEqual(NOTHING);
  });

  it('has no line that is larger than its service takes: such a line fails alone', async () => {
    const remote = await service();
    const rig = await rigOn(remote);
    const provider = rig.deps.providers.get('openai');
    if (!provider?.batch) throw new Error('the provider has no batch service');
    const batch = { ...provider.batch, limits: { ...provider.batch.limits, lineBytes: 2_000 } };
    const strict = { ...provider, convert: provider.convert.bind(provider), batch };
    const deps = { ...rig.deps, providers: new Map([['openai', strict]]) };
    const long = [{ role: 'user', content: 'x'.repeat(3_000) }];
    const id = await beginBatch(
      deps,
      chatLines(10, (index) => (index === 4 ? { messages: long } : {})),
      { config: 'native' },
    );
    expect(await workUntil(deps, () => isSettled(deps, id), { between: () => rig.advance(10) })).toBe(true);
    expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: 9, failed: 1, entries: 9 });
    expect(remote.counters.batches_created).toBe(1);
  });

  it.each([-600, 600])('is made once and ends although our clock is %i seconds off the provider’s', async (seconds) => {
    const remote = await service({ job_ms: 200, faults: [{ on: 'create', fault: 'lose_answer' }] });
    const rig = await rigOn(remote);
    rig.advance(seconds);
    const id = await beginBatch(rig.deps, chatLines(20));
    expect(await workUntil(rig.deps, () => isSettled(rig.deps, id), { between: () => rig.advance(5) })).toBe(true);
    const batch = await rig.deps.store.batches.get('all', id);
    expect(batch).toMatchObject({ status: 'completed', completed: 20, failed: 0, entries: 20 });
    const times = [batch?.createdAt, batch?.inProgressAt, batch?.finalizingAt, batch?.completedAt].map(Number);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const [shard] = await rig.deps.store.shards.list(id);
    expect(shard?.submittedAt).toBeGreaterThanOrEqual(Number(batch?.inProgressAt));
    expect(shard?.endedAt).toBeLessThanOrEqual(Number(batch?.completedAt));
    await sweepProviders(rig.deps, AbortSignal.timeout(10_000));
    expect(remote.counters.batches_created).toBe(1);
    expect(remote.held()).toEqual(NOTHING);
  });

  it.each(['submit', 'poll', 'results'] as const)(
    'whose worker is frozen in %s past its lease, while another takes over, is made and entered once',
    async (frozen) => {
      const remote = await service();
      const name = `frozen-${frozen}`;
      const slow = await rigOn(remote, { name });
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

      const other = await rigOn(remote, { name });
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
