/** The disk loses a batch's input while its provider batch runs. */
import { rm, truncate } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { isTerminal } from '../../../src/core/batch-state.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { storedObject } from '../../files/stored-object.ts';
import { beginBatch, entriesOf, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 20;

let folder: string;
let remote: SimulatedBatchServer;
let rig: Rig;

beforeEach(async () => {
  folder = await temporaryFolder();
  remote = await startOpenAIBatchServer({ job_ms: 300 });
  rig = await openRig(folder, {
    providers: { openai: { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] } },
    settings: { poll_seconds_min: 1 },
  });
});
afterEach(async () => {
  await rig.close();
  await remote.stop();
  await rm(folder, { recursive: true, force: true });
});

it.each(['content', 'plan'] as const)('its %s: what was paid for is entered, and the batch ends', async (kind) => {
  const { deps } = rig;
  const id = await beginBatch(deps, chatLines(LINES));
  const batch = await deps.store.batches.get('all', id);
  const isRunning = async () => (await deps.store.shards.list(id))[0]?.state === 'running';
  expect(await workUntil(deps, isRunning)).toBe(true);
  await truncate(await storedObject(`${folder}/files/files`, batch?.inputFileId ?? '', kind), 0);
  await delay(400);
  const isOver = async () => isTerminal((await deps.store.batches.get('all', id))?.status ?? 'validating');
  expect(await workUntil(deps, isOver, { between: () => rig.advance(60), rounds: 200 })).toBe(true);
  const isClean = async () => (await deps.store.shards.list(id)).every((shard) => shard.cleanedAt !== null);
  expect(await workUntil(deps, isClean, { between: () => rig.advance(600), rounds: 100 })).toBe(true);
  expect(await deps.store.batches.get('all', id)).toMatchObject({ status: 'cancelled', total: LINES });
  const entries = await entriesOf(deps, id);
  expect(entries.map(({ line }) => line).toSorted((a, b) => Number(a) - Number(b))).toEqual(
    Array.from({ length: LINES }, (_, index) => index + 1),
  );
  expect(entries.every(({ amountNano }) => (amountNano ?? 0) > 0)).toBe(true);
  expect(remote.held()).toEqual({ live: 0, files: 0 });
});
