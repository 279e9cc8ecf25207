/** Provider batches that failed after they had answered some lines. */
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BatchCall, Progress, ProviderBatch } from '../../../providers/contract.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { readBatch } from '../../../providers/shared/openai-batch-object.ts';
import { progressOf } from '../../../providers/shared/openai-batch-status.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 20;
const ANSWERED = 6;

let folder: string;
let remote: SimulatedBatchServer;
let rig: Rig;

beforeEach(async () => {
  folder = await temporaryFolder();
  remote = await startOpenAIBatchServer({ job_ms: 0 });
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

/** The service's first batch has failed for lack of money, when some of it had run; `outputAfter`: polls until it names its output. */
function outOfMoney(outputAfter: number): Deps {
  const provider = rig.deps.providers.get('openai');
  if (!provider?.batch) throw new Error('the provider has no batch service');
  const { batch } = provider;
  let first: string | null = null;
  let polls = 0;
  const poll = async (made: ProviderBatch, call: BatchCall): Promise<Progress> => {
    const progress = await batch.poll(made, call);
    first ??= made.id;
    if (progress.state === 'running' || made.id !== first) return progress;
    polls += 1;
    const error = { code: 'billing_hard_limit_reached', message: 'No money.', line: null };
    const told = readBatch({
      ...(progress.details as object),
      status: 'failed',
      request_counts: { total: LINES, completed: ANSWERED, failed: 0 },
      output_file_id: polls > outputAfter ? progress.refs.output_file_id : null,
      errors: { object: 'list', data: [error] },
    });
    if (told === null) throw new Error('no batch');
    return progressOf(told, null, [], { nowMs: call.nowMs, known: made.refs });
  };
  const changed = { ...provider, convert: provider.convert.bind(provider), batch: { ...batch, poll } };
  return { ...rig.deps, providers: new Map([['openai', changed]]) };
}

async function run(deps: Deps): Promise<Record<string, number>> {
  const id = await beginBatch(deps, chatLines(LINES));
  const isDone = () => delay(5).then(() => isSettled(deps, id));
  expect(await workUntil(deps, isDone, { between: () => rig.advance(60), rounds: 100 })).toBe(true);
  expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: LINES, failed: 0 });
  const counts: Record<string, number> = {};
  for (const { status } of await entriesOf(deps, id)) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

it('and name their output a little later are read', async () => {
  expect(await run(outOfMoney(3))).toEqual({ succeeded: LINES });
  expect(remote.counters.batches_created).toBe(1);
});

it('for lack of money, and have no output, are not taken for free', async () => {
  expect(await run(outOfMoney(Number.POSITIVE_INFINITY))).toEqual({ unknown: LINES, succeeded: LINES });
  expect(remote.counters.batches_created).toBe(2);
});
