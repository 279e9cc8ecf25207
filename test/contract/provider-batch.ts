import { afterEach, describe, expect, it } from 'vitest';
import type { BatchResult, RemoteObject } from '../../providers/contract.ts';
import { arm, type BatchSubject, Bench, failureOf, gather, keysOf, type OpenBench } from './provider-batch-setup.ts';
import { describeBatchTrouble } from './provider-batch-trouble.ts';

export type { BatchFaults, BatchSubject } from './provider-batch-setup.ts';

/** What every provider's BatchApi promises, against its simulator over real HTTP. `setup` starts a fresh one. */
export function describeBatchApi(name: string, setup: () => Promise<BatchSubject>): void {
  describe(`batch service: ${name}`, () => {
    const benches: Bench[] = [];
    afterEach(async () => {
      for (const bench of benches.splice(0)) await bench.close();
    });
    const open: OpenBench = async () => {
      const bench = new Bench(await setup());
      benches.push(bench);
      return bench;
    };
    describeLife(open);
    describeEnds(open);
    describeTraces(open);
    describeBatchTrouble(open);
  });
}

function describeLife(open: OpenBench): void {
  it('runs a batch from submit to results', async () => {
    const bench = await open();
    const submitted = await bench.submit();
    const { progress, batch } = await bench.over(submitted);
    expect(progress).toMatchObject({ state: 'ended', reason: 'completed', failure: null, lines: [] });
    // Its answers are priced by when it ended.
    expect(Math.abs((progress.endedAt ?? 0) - Date.now() / 1000)).toBeLessThan(120);
    expect(progress.raw).not.toBe('');
    expect(progress.details).toBeTypeOf('object');
    if (progress.counts !== null) {
      expect(progress.counts).toEqual({ total: bench.size, succeeded: bench.size, failed: 0 });
    }
    const results = await bench.collect(batch);
    expect(keysOf(results)).toEqual(bench.keys().toSorted());
    for (const result of results) expectGood(result);
  });

  it('writes each line of the input as one line', async () => {
    const bench = await open();
    const chunks = await gather(bench.input().open());
    const lines = Buffer.concat(chunks).toString().split('\n').slice(0, -1);
    expect(lines).toHaveLength(bench.size);
    for (const line of lines) expect(JSON.parse(line)).toBeTypeOf('object');
  });

  it('has a batch running for as long as it is unfinished', async () => {
    const bench = await open();
    await bench.simulator.hold();
    const batch = await bench.submit();
    for (let poll = 0; poll < 3; poll += 1) {
      const progress = await bench.api.poll(batch, bench.call());
      expect(progress).toMatchObject({ state: 'running', reason: null, failure: null });
    }
    await bench.simulator.release();
    expect((await bench.over(batch)).progress.state).toBe('ended');
  });

  it('reads the same results again', async () => {
    const bench = await open();
    const { batch } = await bench.over(await bench.submit());
    const first = await bench.collect(batch);
    const second = await bench.collect(batch);
    expect(second.map(({ raw }) => raw).toSorted()).toEqual(first.map(({ raw }) => raw).toSorted());
  });

  it('finds the batch of a token when the answer to its create call was lost', async (context) => {
    const bench = await open();
    await arm(context, bench, 'loseCreateAnswer');
    const failure = await failureOf(bench.submit());
    expect(failure.reachedProvider).toBe(true);
    const found = await bench.api.find('weir-shard-1', bench.refs, bench.call());
    if (found === null) throw new Error('not found');
    expect(bench.simulator.held().created).toBe(1);
    const { batch } = await bench.over({ id: found.id, refs: { ...bench.refs, ...found.refs } });
    expect(keysOf(await bench.collect(batch))).toEqual(bench.keys().toSorted());
  });

  it('finds nothing for a token that made nothing, whatever else is there', async () => {
    const bench = await open();
    await bench.simulator.addForeign();
    await bench.submit('weir-shard-1');
    expect(await bench.api.find('weir-shard', {}, bench.call())).toBeNull();
    expect(await bench.api.find('weir-shard-2', {}, bench.call())).toBeNull();
    expect(await bench.api.find('weir-shard-1', {}, bench.call())).not.toBeNull();
  });

  it('answers one batch, always the same, where one token was submitted twice', async (context) => {
    const bench = await open();
    if (bench.subject.tokensIn === 'results') context.skip('running batches do not tell their token');
    await bench.simulator.hold();
    const first = await bench.submit();
    const second = await bench.submit();
    const finds = [await bench.api.find('weir-shard-1', {}, bench.call())];
    finds.push(await bench.api.find('weir-shard-1', {}, bench.call()));
    expect([first.id, second.id]).toContain(finds[0]?.id);
    expect(finds[1]?.id).toBe(finds[0]?.id);
    const listed = (await inventoryOf(bench)).filter(({ kind }) => kind === 'batch');
    expect(new Set(listed.map(({ id }) => id))).toEqual(new Set([first.id, second.id]));
    expect(listed.every(({ token, live }) => token === 'weir-shard-1' && live)).toBe(true);
  });

  it('creates no batch when its remote ids cannot be persisted', async () => {
    const bench = await open();
    bench.onSaved = async () => {
      throw new Error('the lease is lost');
    };
    // Only a service that takes its input in a first call of its own has something to persist before the create call.
    await expect(bench.submit()).rejects.toThrow();
    const madeNothingBefore = Object.keys(bench.refs).some((name) => /batch|job/.test(name));
    if (!madeNothingBefore) expect(bench.simulator.held().created).toBe(0);
  });
}

function describeEnds(open: OpenBench): void {
  it('cancels a batch at once after it was created, twice', async () => {
    const bench = await open();
    await bench.simulator.hold();
    const submitted = await bench.submit();
    await bench.api.cancel(submitted, bench.call());
    await bench.api.cancel(submitted, bench.call());
    const { progress, batch } = await bench.over(submitted);
    expect(['ended', 'failed']).toContain(progress.state);
    expect(progress.reason).toBe('cancelled');
    const results = progress.state === 'failed' ? [] : await bench.collect(batch);
    for (const { key, result } of results) {
      expect(bench.keys()).toContain(key);
      expect(result).toMatchObject({ ok: false, failure: { kind: 'cancelled' } });
    }
    expect(bench.simulator.held().live).toBe(0);
  });

  it('keeps what was done when a batch is cancelled half-way', async (context) => {
    const bench = await open();
    await arm(context, bench, 'stopHalfway');
    const submitted = await bench.submit();
    await bench.polled(submitted, ({ state }) => state === 'running');
    await bench.api.cancel(submitted, bench.call());
    const { progress, batch } = await bench.over(submitted);
    expect(progress).toMatchObject({ state: 'ended', reason: 'cancelled' });
    expectHalf(bench, await bench.collect(batch), 'cancelled');
  });

  it('takes a cancel of a batch that has ended, and keeps its results', async () => {
    const bench = await open();
    const { batch } = await bench.over(await bench.submit());
    await bench.api.cancel(batch, bench.call());
    expect((await bench.api.poll(batch, bench.call())).reason).toBe('completed');
    expect(await bench.collect(batch)).toHaveLength(bench.size);
  });

  it('keeps what was done when a batch expires', async (context) => {
    const bench = await open();
    await arm(context, bench, 'stopHalfway');
    const submitted = await bench.submit();
    await bench.polled(submitted, ({ state }) => state === 'running');
    await arm(context, bench, 'expire');
    const { progress, batch } = await bench.over(submitted);
    expect(progress).toMatchObject({ state: 'ended', reason: 'expired' });
    expectHalf(bench, await bench.collect(batch), 'expired');
  });

  it('hands on a failure for every line when all of them failed', async (context) => {
    const bench = await open();
    await arm(context, bench, 'failEveryLine');
    const { progress, batch } = await bench.over(await bench.submit());
    expect(progress.state).toBe('ended');
    const results = await bench.collect(batch);
    expect(keysOf(results)).toEqual(bench.keys().toSorted());
    for (const { result } of results) {
      if (result.ok) throw new Error('succeeded');
      expect(result.failure.reachedProvider).toBe(true);
      expect(JSON.parse(result.body ?? '')).toMatchObject({ error: { message: expect.any(String) } });
    }
  });

  it('says which line the validation of the service refused', async (context) => {
    const bench = await open();
    await arm(context, bench, 'refuseSecondLine');
    const { progress } = await bench.over(await bench.submit());
    expect(progress).toMatchObject({ state: 'failed', reason: 'failed', failure: { kind: 'invalid_request' } });
    expect(progress.lines.map(({ line }) => line)).toEqual([2]);
    expect(progress.lines[0]?.failure.kind).toBe('invalid_request');
  });
}

function describeTraces(open: OpenBench): void {
  it('lists what is ours and nothing else', async (context) => {
    const bench = await open();
    if (bench.subject.tokensIn === 'results') context.skip('running batches do not tell their token');
    await bench.simulator.addForeign();
    expect(await inventoryOf(bench)).toEqual([]);
    await bench.simulator.hold();
    const batch = await bench.submit();
    const objects = await inventoryOf(bench);
    expect(objects.length).toBeGreaterThan(0);
    for (const object of objects) {
      expect(object.token).toBe('weir-shard-1');
      expect(Math.abs(object.createdAt - Date.now() / 1000)).toBeLessThan(120);
    }
    expect(objects.filter(({ kind }) => kind === 'batch')).toMatchObject([{ id: batch.id, live: true }]);
    const { files } = bench.simulator.held();
    expect(objects.filter(({ kind }) => kind === 'file')).toHaveLength(files);
  });

  it('removes every file of a shard, and takes it when they are gone', async () => {
    const bench = await open();
    await bench.simulator.addForeign();
    const { batch } = await bench.over(await bench.submit());
    await bench.collect(batch);
    const { files } = bench.simulator.held();
    const removed = await bench.api.cleanup(batch.refs, bench.call());
    expect(bench.simulator.held()).toMatchObject({ files: 0, live: 0 });
    expect(removed).toHaveLength(files);
    expect(await bench.api.cleanup(batch.refs, bench.call())).toEqual([]);
    const left = await inventoryOf(bench);
    expect(left.filter(({ kind, live }) => kind === 'file' || live)).toEqual([]);
  });

  it('removes an input that never became a batch, by what was persisted', async () => {
    const bench = await open();
    bench.onSaved = async () => {
      throw new Error('the lease is lost');
    };
    await bench.submit().catch(() => {});
    await bench.api.cleanup(bench.refs, bench.call());
    const { created, files } = bench.simulator.held();
    if (created === 0) expect(files).toBe(0);
  });
}

async function inventoryOf(bench: Bench): Promise<RemoteObject[]> {
  return gather(bench.api.inventory(bench.call()));
}

function expectGood({ key, result, raw }: BatchResult): void {
  if (!result.ok) throw new Error(`${key}: ${result.failure.message}`);
  expect(result.body).not.toMatch(/[\n\r\u0085\u2028\u2029]/);
  const body = JSON.parse(result.body) as Record<string, unknown>;
  expect(body.usage).toBeTypeOf('object');
  expect(Array.isArray(body.choices) || Array.isArray(body.data)).toBe(true);
  expect(result.usage?.input_tokens).toBeGreaterThan(0);
  expect(result.servedModel).toBeTypeOf('string');
  expect(result.status).toBe(200);
  expect(raw).not.toBe('');
  expect(raw).not.toContain('\n');
}

/** Half of the lines done; the others absent, or failures of the given kind. */
function expectHalf(bench: Bench, results: readonly BatchResult[], kind: 'cancelled' | 'expired'): void {
  const done = results.filter(({ result }) => result.ok);
  expect(done).toHaveLength(Math.floor(bench.size / 2));
  for (const result of done) expectGood(result);
  for (const { result } of results) if (!result.ok) expect(result.failure.kind).toBe(kind);
  expect(new Set(results.map(({ key }) => key)).size).toBe(results.length);
}
