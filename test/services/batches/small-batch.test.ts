import { rm } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { kinds } from '../../../providers/registry.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { loadConfig } from '../../../src/runtime/load.ts';
import { type Loop, startLoop } from '../../../src/runtime/loop.ts';
import { nodeDeps } from '../../../src/runtime/node-deps.ts';
import { chatLines, type Pools, splitConfig, startPools, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch } from '../shards/rig.ts';

const BATCHES = 3;
const LINES = 4;

let folder: string;
let pools: Pools;
let deps: Deps;
let loop: Loop;

afterEach(async () => {
  await loop.stop();
  await pools.stop();
  await deps.store.close();
  await deps.http.close();
  await rm(folder, { recursive: true, force: true });
});

it('a small batch costs a few writes: its work with its start, its grant, its results, and its end', async () => {
  folder = await temporaryFolder();
  pools = await startPools([{ models: ['gpt-4o-mini'], latency_ms: 20 }]);
  const config = splitConfig([pools.servers[0]?.baseUrl ?? ''], [1], { limits: { concurrency: 64, adaptive: false } });
  const loaded = await loadConfig({
    environment: { WEIR_DATA_DIR: folder },
    kinds,
    readText: () => Promise.resolve(JSON.stringify({ ...config, settings: { part_delay_ms: 2_000 } })),
  });
  const real = await nodeDeps(loaded, true);
  let loopNudge: Deps['nudge'] = () => undefined;
  deps = { ...real, nudge: (about) => loopNudge(about) };
  const counts: Record<string, number> = {};
  const { segments, batches, shards } = deps.store;
  const count = <Method extends (...args: never[]) => unknown>(name: string, of: object, method: Method): Method => {
    counts[name] = 0;
    return ((...args: Parameters<Method>) => {
      counts[name] = (counts[name] ?? 0) + 1;
      return method.apply(of, args);
    }) as unknown as Method;
  };
  segments.commit = count('commit', segments, segments.commit);
  segments.insertMany = count('segments', segments, segments.insertMany);
  shards.insertMany = count('shards', shards, shards.insertMany);
  batches.start = count('start', batches, batches.start);
  batches.beginFinalizing = count('beginFinalizing', batches, batches.beginFinalizing);
  batches.finish = count('finish', batches, batches.finish);
  batches.release = count('release', batches, batches.release);
  loop = await startLoop(deps, { exclusive: true });
  loopNudge = loop.nudge;

  const making = Array.from({ length: BATCHES }, () =>
    beginBatch(deps, chatLines(LINES), { config: 'split', completion_window: 'immediate' }),
  );
  const ids = await Promise.all(making);
  for (const id of ids) {
    await expect.poll(async () => (await batches.get('all', id))?.status, { timeout: 20_000 }).toBe('completed');
    const batch = await batches.get('all', id);
    const { inProgressAt, finalizingAt, completedAt } = batch ?? {};
    expect([inProgressAt, finalizingAt, completedAt]).toEqual([inProgressAt, finalizingAt, completedAt].toSorted());
    expect(finalizingAt).toEqual(expect.any(Number));
    expect(batch).toMatchObject({ completed: LINES, failed: 0, estimate: expect.any(Object), openSegments: 0 });
    const output = await deps.store.files.getAny(batch?.outputFileId ?? '');
    expect(output?.bytes).toBe(await deps.files.size(output?.contentKey ?? ''));
  }
  expect(counts).toEqual({
    segments: 0,
    shards: 0,
    start: BATCHES,
    commit: 2 * BATCHES,
    beginFinalizing: 0,
    finish: BATCHES,
    release: BATCHES,
  });
});
