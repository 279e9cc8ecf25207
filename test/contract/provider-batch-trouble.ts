import { expect, it } from 'vitest';
import type { ProviderBatch } from '../../providers/contract.ts';
import type { Failure } from '../../src/core/failure.ts';
import { arm, type Bench, failureOf, gather, keysOf, type OpenBench } from './provider-batch-setup.ts';

const mebibyte = 1024 * 1024;

/** What a provider's BatchApi does when the service, or the way to it, is in trouble. */
export function describeBatchTrouble(open: OpenBench): void {
  describeResults(open);
  describePolls(open);
  describeRefusals(open);
}

function describeResults(open: OpenBench): void {
  it('does not call a batch ended before its results can be read', async (context) => {
    const bench = await open();
    await arm(context, bench, 'lateOutput');
    const { batch } = await bench.over(await bench.submit());
    expect(keysOf(await bench.collect(batch))).toEqual(bench.keys().toSorted());
  });

  it('takes empty places for no places', async (context) => {
    const bench = await open();
    await arm(context, bench, 'emptyPlaces');
    const { progress, batch } = await bench.over(await bench.submit());
    for (const value of Object.values(progress.refs)) expect(value).not.toBe('');
    expect(keysOf(await bench.collect(batch))).toEqual(bench.keys().toSorted());
    await bench.api.cleanup(batch.refs, bench.call());
  });

  it.each(['cutNextDownload', 'shortenNextDownload'] as const)(
    'loses no line and doubles none on %s',
    async (fault) => {
      const bench = await open();
      const { batch } = await bench.over(await bench.submit());
      const armed = bench.simulator.faults[fault];
      if (armed === undefined) return;
      await armed.call(bench.simulator.faults);
      const results = await collectWithRetry(bench, batch);
      expect(keysOf(results)).toEqual(bench.keys().toSorted());
      expect(results.every(({ result }) => result.ok)).toBe(true);
    },
  );

  it('hands on every line of the results, also those that make no sense', async (context) => {
    const bench = await open();
    await arm(context, bench, 'oddLines');
    const { batch } = await bench.over(await bench.submit());
    const results = await bench.collect(batch);
    const ours = results.filter(({ key }) => key !== null && bench.keys().includes(key));
    expect(new Set(ours.map(({ key }) => key)).size).toBe(bench.size);
    expect(ours).toHaveLength(bench.size + 1);
    const others = results.filter(({ key }) => key !== null && !bench.keys().includes(key));
    expect(others).toHaveLength(1);
    const unnamed = results.filter(({ key }) => key === null);
    expect(unnamed).toHaveLength(2);
    expect(unnamed.some(({ result }) => !result.ok && result.failure.kind === 'bad_response')).toBe(true);
  });

  it('reads large results no faster than they are taken', async (context) => {
    const bench = await open();
    await arm(context, bench, 'largeAnswers', 64 * mebibyte);
    const { batch } = await bench.over(await bench.submit());
    const before = bench.simulator.sentBytes();
    const results = bench.api.results(batch, bench.call())[Symbol.asyncIterator]();
    expect((await results.next()).done).toBe(false);
    const sent = await settled(() => bench.simulator.sentBytes() - before);
    expect(sent).toBeLessThan(32 * mebibyte);
    let count = 1;
    while (!(await results.next()).done) count += 1;
    expect(count).toBe(bench.size);
    expect(bench.simulator.sentBytes() - before).toBeGreaterThanOrEqual(64 * mebibyte);
  });

  it('stops reading results when its signal is aborted', async () => {
    const bench = await open();
    const { batch } = await bench.over(await bench.submit());
    bench.signal = AbortSignal.abort();
    expect((await failureOf(bench.collect(batch))).kind).toBe('interrupted');
  });
}

function describePolls(open: OpenBench): void {
  it('has a batch running while its status word is unknown', async (context) => {
    const bench = await open();
    const submitted = await bench.submit();
    await arm(context, bench, 'unknownStatus');
    const progress = await bench.api.poll(submitted, bench.call());
    expect(progress).toMatchObject({ state: 'running', reason: null, failure: null });
    expect(progress.raw.length).toBeGreaterThan(0);
    expect((await bench.over(submitted)).progress.state).toBe('ended');
  });

  it('takes a status that goes back for a running batch', async (context) => {
    const bench = await open();
    const submitted = await bench.submit();
    await bench.over(submitted);
    await arm(context, bench, 'backwardStatus');
    expect((await bench.api.poll(submitted, bench.call())).state).toBe('running');
    const { batch } = await bench.over(submitted);
    expect(keysOf(await bench.collect(batch))).toEqual(bench.keys().toSorted());
  });

  it('does not believe a 404 soon after the create call, but does later', async (context) => {
    const bench = await open();
    const submitted = await bench.submit();
    await arm(context, bench, 'notFound');
    expect(await bench.api.poll(submitted, bench.call())).toMatchObject({ state: 'running', reason: null });
    bench.nowMs += 86_400_000;
    expect((await failureOf(bench.api.poll(submitted, bench.call()))).kind).toBe('not_found');
  });

  it.each(['html', 'empty', 'truncated', 'error'] as const)(
    'does not take a 200 with %s for a status',
    async (form) => {
      const bench = await open();
      const submitted = await bench.submit();
      if (bench.simulator.faults.badPoll === undefined) return;
      await bench.simulator.faults.badPoll(form);
      const { kind } = await failureOf(bench.api.poll(submitted, bench.call()));
      expect(['bad_response', 'server_error']).toContain(kind);
      expect((await bench.over(submitted)).progress.state).toBe('ended');
    },
  );

  it('says how long a rate limit asks to wait', async (context) => {
    const bench = await open();
    const submitted = await bench.submit();
    await arm(context, bench, 'rateLimitNext');
    const failure = await failureOf(bench.api.poll(submitted, bench.call()));
    expect(failure).toMatchObject({ kind: 'rate_limited', retryAfterMs: 7000 });
  });
}

function describeRefusals(open: OpenBench): void {
  it('says that the quota is full when the service refuses a batch, and leaves nothing behind', async (context) => {
    const bench = await open();
    await arm(context, bench, 'quotaFull');
    expect((await failureOf(bench.submit())).kind).toBe('quota_full');
    await bench.api.cleanup(bench.refs, bench.call());
    expect(bench.simulator.held()).toMatchObject({ live: 0, files: 0 });
  });

  it('says that the quota is full when a batch fails by it', async (context) => {
    const bench = await open();
    await arm(context, bench, 'quotaFullLater');
    const { progress } = await bench.over(await bench.submit());
    expect(progress).toMatchObject({ state: 'failed', reason: 'failed', failure: { kind: 'quota_full' }, lines: [] });
  });

  it('says that its credential is not accepted, whatever it does', async (context) => {
    const bench = await open();
    const batch = await bench.submit();
    await arm(context, bench, 'badCredentials');
    for (const failure of await failuresOfAll(bench, batch)) {
      expect(['authentication', 'permission']).toContain(failure.kind);
      expect(JSON.stringify(failure)).not.toContain(bench.subject.secret);
    }
  });

  it('keeps its credential out of every failure, also when the service repeats it', async (context) => {
    const bench = await open();
    const batch = await bench.submit();
    await arm(context, bench, 'echoHeaders');
    for (const failure of await failuresOfAll(bench, batch)) {
      expect(JSON.stringify(failure)).not.toContain(bench.subject.secret);
    }
  });
}

async function failuresOfAll(bench: Bench, batch: ProviderBatch): Promise<Failure[]> {
  const { api } = bench;
  return [
    await failureOf(api.submit(bench.input('weir-shard-2'), bench.call())),
    await failureOf(api.find('weir-shard-1', bench.refs, bench.call())),
    await failureOf(api.poll(batch, bench.call())),
    await failureOf(bench.collect(batch)),
    await failureOf(api.cancel(batch, bench.call())),
    await failureOf(gather(api.inventory(bench.call()))),
    // A service without files has nothing to remove, and no call to be refused.
    ...(bench.simulator.held().files > 0 ? [await failureOf(api.cleanup(batch.refs, bench.call()))] : []),
  ];
}

/** All results; a first try may reject where the service offers no way to go on, but must not pretend to be whole. */
async function collectWithRetry(bench: Bench, batch: ProviderBatch) {
  try {
    return await bench.collect(batch);
  } catch {
    return bench.collect(batch);
  }
}

/** The value once it has not changed for a while. */
async function settled(read: () => number): Promise<number> {
  const deadline = performance.now() + 10_000;
  let value = read();
  for (let same = 0; same < 10; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const next = read();
    same = next === value ? same + 1 : 0;
    value = next;
    if (performance.now() > deadline) throw new Error('never came to rest');
  }
  return value;
}
