import { describe, expect, it } from 'vitest';
import { failureOf, keys, longToken, start } from './batch-bench.ts';

describe('a message batch whose create call lost its answer', () => {
  it('is looked for, and found when it has ended', async () => {
    const bench = await start({ hold: true, fail_on: 'create', fail_with: 'lost_answer', fail_count: 1 });
    expect((await failureOf(bench.submit(longToken, keys(3)))).reachedProvider).toBe(true);
    expect(bench.saved).toMatchObject({ token: longToken, lines: '3' });
    // As long as it runs nobody can say whose it is: nothing may be sent again.
    expect(await failureOf(bench.api.find(longToken, bench.saved, bench.call()))).toMatchObject({
      code: 'submission_unclear',
      kind: 'server_error',
      reachedProvider: true,
    });
    bench.server.configure({ hold: false });
    const found = await bench.api.find(longToken, bench.saved, bench.call());
    if (found === null) throw new Error('not found');
    expect((await bench.collect(found)).map(({ key }) => key).sort()).toEqual(keys(3));
    expect(await bench.api.find('another-token', {}, bench.call())).toBeNull();
    expect(bench.server.held().created).toBe(1);
  });

  it('is not taken for a batch of another size or time, nor for one of the same size', async () => {
    const bench = await start({ fail_on: 'create', fail_with: 500, fail_count: 1 });
    await failureOf(bench.submit('weir-a-1', keys(3)));
    const refs = bench.saved;
    bench.saved = {};
    await bench.submit('weir-b-1', keys(3));
    expect(await bench.api.find('weir-a-1', refs, bench.call())).toBeNull();
    bench.server.configure({ hold: true });
    await bench.submit('weir-c-1', keys(4));
    expect(await bench.api.find('weir-a-1', refs, bench.call())).toBeNull();
    await bench.submit('weir-d-1', keys(3));
    expect((await failureOf(bench.api.find('weir-a-1', refs, bench.call()))).code).toBe('submission_unclear');
    const earlier = { ...refs, submitted_ms: String(bench.nowMs - 86_400_000) };
    expect(await bench.api.find('weir-a-1', earlier, bench.call())).toBeNull();
  });

  it('that was persisted is found without a call', async () => {
    const bench = await start();
    const batch = await bench.submit('weir-a-1', ['r-0']);
    const before = bench.server.calls.get('list');
    expect(await bench.api.find('weir-a-1', bench.saved, bench.call())).toEqual(batch);
    expect(bench.server.calls.get('list')).toBe(before);
  });

  it('is searched through every page of the list', async () => {
    const bench = await start();
    await bench.submit('weir-a-1', keys(2));
    for (let count = 0; count < 120; count += 1) bench.server.addForeign();
    expect(await bench.api.find('weir-a-1', {}, bench.call())).not.toBeNull();
    const listed = [];
    for await (const object of bench.api.inventory(bench.call())) listed.push(object);
    expect(listed).toMatchObject([{ kind: 'batch', token: 'weir-a-1', live: false }]);
  });
});
