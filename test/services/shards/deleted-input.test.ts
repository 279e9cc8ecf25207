/** Provider batches that were given up still cost, also where their input and results are deleted before they end. */
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { isTerminal } from '../../../src/core/batch-state.ts';
import { deleteFile } from '../../../src/services/files/delete.ts';
import { FIRST_SWEEP, sweep } from '../../../src/services/sweep.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, contextOf, entriesOf, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 20;

let folder: string;
let remote: SimulatedBatchServer;
let other: SimulatedBatchServer;
let rig: Rig;

beforeEach(async () => {
  folder = await temporaryFolder();
  remote = await startOpenAIBatchServer({ job_ms: 1 });
  other = await startOpenAIBatchServer();
});
afterEach(async () => {
  await rig.close();
  await remote.stop();
  await other.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A batch that was rescued elsewhere as its first service answers nothing any more, and has completed. */
async function rescued(): Promise<string> {
  const entry = ({ baseUrl }: SimulatedBatchServer) => ({
    kind: 'openai',
    base_url: baseUrl,
    api_key: 'sk-test',
    models: ['gpt-4o-mini'],
  });
  const target = { model: 'gpt-4o-mini', mode: 'batch' };
  rig = await openRig(folder, {
    providers: { openai: entry(remote), other: entry(other) },
    routes: {
      rescued: {
        strategy: { mode: 'single' },
        targets: [{ ...target, provider: 'openai' }],
        rescue: { after: '1h', to: { ...target, provider: 'other' } },
      },
    },
    settings: { poll_seconds_min: 1 },
  });
  const { deps } = rig;
  const id = await beginBatch(deps, chatLines(LINES), { config: 'rescued' });
  const isRunning = async () => (await deps.store.shards.list(id))[0]?.state === 'running';
  expect(await workUntil(deps, isRunning)).toBe(true);
  remote.configure({ faults: [{ on: 'any', fault: 500, times: null }] });
  const isOver = async () => isTerminal((await deps.store.batches.get('all', id))?.status ?? 'validating');
  expect(await workUntil(deps, isOver, { between: () => rig.advance(60), rounds: 200 })).toBe(true);
  expect((await deps.store.shards.list(id)).map(({ state }) => state)).toContain('abandoned');
  return id;
}

async function deleteAndTidy(ids: (string | null)[]): Promise<void> {
  for (const id of ids) await deleteFile(rig.deps, contextOf(rig.deps), id ?? '');
  rig.advance(2 * 86_400);
  await sweep(rig.deps, FIRST_SWEEP);
}

async function wasteOf(id: string) {
  remote.configure({ faults: [] });
  const isClean = async () => (await rig.deps.store.shards.list(id)).every((shard) => shard.cleanedAt !== null);
  expect(await workUntil(rig.deps, isClean, { between: () => rig.advance(600), rounds: 100 })).toBe(true);
  const entries = (await entriesOf(rig.deps, id)).filter(({ status }) => status === 'superseded');
  expect(remote.held()).toEqual({ live: 0, files: 0 });
  return entries.map(({ customId, amountNano }) => ({ customId, isPriced: (amountNano ?? 0) > 0 }));
}

it('what was paid for is entered though the input was deleted', async () => {
  const id = await rescued();
  const batch = await rig.deps.store.batches.get('all', id);
  await deleteAndTidy([batch?.inputFileId ?? null]);
  expect(new Set((await wasteOf(id)).map(({ customId }) => customId)).size).toBe(LINES);
});

it('what was paid for is entered though the results were deleted, too', async () => {
  const id = await rescued();
  const batch = await rig.deps.store.batches.get('all', id);
  await deleteAndTidy([batch?.inputFileId ?? null, batch?.outputFileId ?? null]);
  const waste = await wasteOf(id);
  expect(waste).toHaveLength(LINES);
  expect(waste.every(({ isPriced }) => isPriced)).toBe(true);
});
