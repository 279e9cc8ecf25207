import { rm } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../providers/sandbox/servers/openai-batch.ts';
import { ClockWatch } from '../../src/services/clock-watch.ts';
import { chatLines, temporaryFolder } from '../e2e/weir.ts';
import { beginBatch, isSettled, openRig, type Rig, workUntil } from './shards/rig.ts';

const HOURS = 3;

let folder: string;
let remote: SimulatedBatchServer;
let rig: Rig;

afterEach(async () => {
  await rig.close();
  await remote.stop();
  await rm(folder, { recursive: true, force: true });
});

it('a provider batch is looked at in time although the clock was put back by hours while it ran', async () => {
  folder = await temporaryFolder();
  remote = await startOpenAIBatchServer({ stop_at: 0 });
  const openai = { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] };
  rig = await openRig(folder, { providers: { openai } });
  let backMs = 0;
  const { clock } = rig.deps;
  const deps = { ...rig.deps, clock: { ...clock, now: () => clock.now() - backMs } };
  const watch = new ClockWatch(deps);
  const id = await beginBatch(deps, chatLines(5));
  const isRunning = async () => (await deps.store.shards.list(id))[0]?.raw === 'in_progress';
  expect(await workUntil(deps, isRunning, { between: () => rig.advance(10) })).toBe(true);
  const nextAt = async () => (await deps.store.shards.list(id))[0]?.nextAt ?? 0;
  const due = (await nextAt()) - Math.floor(deps.clock.now() / 1000);
  expect(due).toBeGreaterThan(0);

  await watch.look();
  backMs = HOURS * 3_600_000;
  remote.configure({ stop_at: null });
  await watch.look();
  const dueThen = (await nextAt()) - Math.floor(deps.clock.now() / 1000);
  expect(Math.abs(dueThen - due)).toBeLessThanOrEqual(2);
  // Once: the next look finds nothing new.
  await watch.look();
  expect((await nextAt()) - Math.floor(deps.clock.now() / 1000)).toBeGreaterThanOrEqual(dueThen - 1);
  expect(await workUntil(deps, () => isSettled(deps, id), { between: () => rig.advance(30), rounds: 20 })).toBe(true);
  expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: 5, failed: 0, entries: 5 });
});
