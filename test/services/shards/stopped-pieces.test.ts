/** Requests that are several records each, in a job that is stopped before it ran all of them. */
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type SimulatedBedrock, startBedrockServer } from '../../../providers/sandbox/servers/bedrock.ts';
import { isTerminal } from '../../../src/core/batch-state.ts';
import { cancelBatch } from '../../../src/services/batches/cancel.ts';
import { bedrockEntry } from '../../e2e/bedrock-entry.ts';
import { temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, contextOf, entriesOf, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 60;
const model = 'amazon.titan-embed-text-v2:0';
const caller = { access_key_id: 'AKIASTOPPED', secret_access_key: 'stopped/secret', session_token: 'stopped-token' };

let folder: string;
let server: SimulatedBedrock;
let rig: Rig;

beforeEach(async () => {
  folder = await temporaryFolder();
  server = await startBedrockServer({ caller, job_ms: 20, stop_ms: 0, stop_at: 0.3, records_min: 1 });
  rig = await openRig(folder, {
    providers: { bedrock: bedrockEntry(server, caller, model, { batch_limits: { lines_min: 1 } }) },
    settings: { poll_seconds_min: 1 },
  });
});
afterEach(async () => {
  await rig.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

it('those that were not run are not entered, and hold nothing up', async () => {
  const { deps } = rig;
  const lines = Array.from({ length: LINES }, (_, index) => {
    const body = { model, input: [`one ${index}`, `two ${index}`, `three ${index}`] };
    return `${JSON.stringify({ custom_id: `e-${index}`, method: 'POST', url: '/v1/embeddings', body })}\n`;
  });
  const id = await beginBatch(deps, lines.join(''), { endpoint: '/v1/embeddings' });
  const isRunning = async () => (await deps.store.shards.list(id))[0]?.raw === 'InProgress';
  expect(await workUntil(deps, () => delay(5).then(isRunning), { between: () => rig.advance(5) })).toBe(true);
  await cancelBatch(deps, contextOf(deps), id);
  const cancelledAt = deps.clock.now();
  const isOver = async () => isTerminal((await deps.store.batches.get('all', id))?.status ?? 'validating');
  expect(await workUntil(deps, () => delay(5).then(isOver), { between: () => rig.advance(5), rounds: 200 })).toBe(true);
  expect(deps.clock.now() - cancelledAt).toBeLessThan(60_000);
  const entries = await entriesOf(deps, id);
  expect(entries.length).toBeGreaterThan(10);
  expect(entries.length).toBeLessThan(LINES);
  expect(entries.filter(({ amountNano }) => amountNano === null)).toEqual([]);
});
