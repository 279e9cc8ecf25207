import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bench, failureOf, gather, keysOf } from '../../contract/provider-batch-setup.ts';
import { ADMIN_KEY, startWeir, type Weir } from '../../e2e/weir.ts';
import { createProvider } from '../kinds.ts';

describe('batches of another Weir', () => {
  let weir: Weir;
  let bench: Bench;

  beforeEach(async () => {
    weir = await startWeir({ providers: { box: { kind: 'sandbox', models: ['sim-small'], latency_ms: 5 } } });
    const provider = createProvider('openai-compatible', { preset: 'weir', base_url: weir.url, api_key: ADMIN_KEY });
    const simulator = {
      hold() {},
      release() {},
      held: () => ({ created: 0, live: 0, files: 0 }),
      addForeign() {},
      sentBytes: () => 0,
      faults: {},
    };
    bench = new Bench({ provider, model: 'sim-small', secret: ADMIN_KEY, simulator, stop: () => weir.stop() });
  });

  afterEach(() => bench.close());

  it('run from submit to cleanup', async () => {
    const { progress, batch } = await bench.over(await bench.submit('weir-shard-1', 40));
    expect(progress).toMatchObject({ state: 'ended', reason: 'completed', counts: { total: 40, succeeded: 40 } });
    const results = await bench.collect(batch);
    expect(keysOf(results)).toEqual(bench.keys(40).toSorted());
    expect(results.every(({ result }) => result.ok && result.usage !== null)).toBe(true);
    const found = await bench.api.find('weir-shard-1', {}, bench.call());
    expect(found?.id).toBe(batch.id);
    const removed = await bench.api.cleanup(batch.refs, bench.call());
    expect(removed).toContain(batch.refs.input_file_id);
    const left = await gather(bench.api.inventory(bench.call()));
    expect(left).toMatchObject([{ kind: 'batch', id: batch.id, token: 'weir-shard-1', live: false }]);
    await bench.api.cancel(batch, bench.call());
  });

  it('are not made twice for one token', async () => {
    const first = await bench.submit();
    await failureOf(bench.submit());
    const objects = await gather(bench.api.inventory(bench.call()));
    expect(objects.filter(({ kind }) => kind === 'batch').map(({ id }) => id)).toEqual([first.id]);
    expect(await bench.api.find('weir-shard-1', bench.refs, bench.call())).toMatchObject({ id: first.id });
  });

  it('say which key they do not take', async () => {
    const provider = createProvider('openai-compatible', { preset: 'weir', base_url: weir.url, api_key: 'sk-wrong' });
    const failure = await failureOf(
      provider.batch?.poll({ id: 'batch_x', refs: {} }, bench.call()) ?? Promise.resolve(),
    );
    expect(failure.kind).toBe('authentication');
  });
});
