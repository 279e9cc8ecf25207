/** A shard of which one line waits for another shard's answer, and one is to go to the next target. */
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BatchCall, ProviderBatch, ShardInput } from '../../../providers/contract.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 12;
/** Of a provider batch: the second one has the last four lines. */
const SHARD_LINES = 8;
const SAME = 'Ask the same.';

let folder: string;
let servers: SimulatedBatchServer[];
let rig: Rig;

beforeEach(async () => {
  folder = await temporaryFolder();
  const full = { contains: 'Full', status: 429 };
  servers = [await startOpenAIBatchServer({ job_ms: 0, line_faults: [full] }), await startOpenAIBatchServer()];
  const [openai, other] = servers.map(({ baseUrl }) => ({
    kind: 'openai',
    base_url: baseUrl,
    api_key: 'sk-test',
    models: ['gpt-4o-mini'],
  }));
  const target = { model: 'gpt-4o-mini', mode: 'batch', cache: { mode: 'simple', max_age: 86_400 } };
  rig = await openRig(folder, {
    providers: { openai, other },
    routes: {
      both: {
        strategy: { mode: 'fallback', on_status_codes: [429] },
        targets: ['openai', 'other'].map((provider) => ({ ...target, provider })),
      },
    },
    settings: { poll_seconds_min: 1 },
  });
});
afterEach(async () => {
  await rig.close();
  await Promise.all(servers.map((server) => server.stop()));
  await rm(folder, { recursive: true, force: true });
});

/** The first service, whose provider batches have few lines; the one with the question that two ask runs until `isOver`. */
function slow(isOver: () => Promise<boolean>): Deps {
  const provider = rig.deps.providers.get('openai');
  if (!provider?.batch) throw new Error('the provider has no batch service');
  const { batch } = provider;
  let asking: string | null = null;
  const submit = async (input: ShardInput, call: BatchCall) => {
    let text = '';
    for await (const chunk of input.open()) text += Buffer.from(chunk).toString();
    const made = await batch.submit(input, call);
    if (text.includes(SAME)) asking = made.id;
    return made;
  };
  const poll = async (made: ProviderBatch, call: BatchCall) => {
    const progress = await batch.poll(made, call);
    if (made.id !== asking || (await isOver())) return progress;
    return { ...progress, state: 'running', reason: null, counts: null } as const;
  };
  const limits = { ...batch.limits, lines: SHARD_LINES };
  const changed = { ...provider, convert: provider.convert.bind(provider), batch: { ...batch, submit, poll, limits } };
  return { ...rig.deps, providers: new Map([...rig.deps.providers, ['openai', changed]]) };
}

it('sends that one there', async () => {
  const ask = (content: string) => ({ messages: [{ role: 'user', content }] });
  const lines = chatLines(LINES, (index) =>
    index === 0 || index === 8 ? ask(SAME) : index === 3 || index === 9 ? ask(`Full ${index}.`) : {},
  );
  let id = '';
  const isOver = async () => (await rig.deps.store.shards.list(id)).some(({ state }) => state === 'done');
  const deps = slow(isOver);
  id = await beginBatch(deps, lines, { config: 'both' });
  const isDone = () => isSettled(deps, id);
  expect(await workUntil(deps, isDone, { between: () => rig.advance(60), rounds: 100 })).toBe(true);
  expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: LINES, failed: 0 });
  const entries = await entriesOf(deps, id);
  const full = entries.filter(({ line }) => line === 4 || line === 10);
  expect(full.map(({ provider, status }) => `${provider} ${status}`).sort()).toEqual([
    'openai failed',
    'openai failed',
    'other succeeded',
    'other succeeded',
  ]);
});
