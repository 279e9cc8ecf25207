/** Jobs whose creation is refused for the job itself: no part of their lines would fare better. */
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type SimulatedBedrock, startBedrockServer } from '../../../providers/sandbox/servers/bedrock.ts';
import { bedrockEntry } from '../../e2e/bedrock-entry.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 400;
const caller = { access_key_id: 'AKIAREFUSED', secret_access_key: 'refused/secret', session_token: 'refused-token' };
const model = 'amazon.nova-lite-v1:0';

let folder: string;
let server: SimulatedBedrock;
let rig: Rig;

beforeEach(async () => {
  folder = await temporaryFolder();
  server = await startBedrockServer({ caller, models: ['amazon.nova-pro-v1:0'], records_min: 1 });
  rig = await openRig(folder, {
    providers: { bedrock: bedrockEntry(server, caller, model, { batch_limits: { lines_min: 1 } }) },
    routes: { batch: { provider: 'bedrock', model, mode: 'batch' } },
    settings: { poll_seconds_min: 1 },
  });
});
afterEach(async () => {
  await rig.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

it('a model without batches is asked for once', async () => {
  const { deps } = rig;
  const id = await beginBatch(deps, chatLines(LINES), { config: 'batch' });
  const isOver = async () => (await deps.store.batches.get('all', id))?.status === 'completed';
  expect(await workUntil(deps, isOver, { between: () => rig.advance(60), rounds: 100 })).toBe(true);
  expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: 0, failed: LINES, entries: 0 });
  expect(server.counters.create).toBe(1);
});
