/** Lines of a shard that were not in its provider batch are not entered as what it may have cost. */
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BatchCall, BatchResult, NativeRequest, Provider, ProviderBatch } from '../../../providers/contract.ts';
import { ProviderError } from '../../../providers/contract.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { refusal } from '../../../src/core/failure.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 20;
const APART = [4, 9, 15];
const NAMES = ['first', 'second', 'third'] as const;

type Batch = NonNullable<Provider['batch']>;

let folder: string;
let servers: SimulatedBatchServer[];
let rig: Rig;

beforeEach(async () => {
  folder = await temporaryFolder();
  servers = await Promise.all(NAMES.map(() => startOpenAIBatchServer({ job_ms: 0 })));
  const target = { model: 'gpt-4o-mini', mode: 'batch' };
  const entries = servers.map(({ baseUrl }) => ({
    kind: 'openai',
    base_url: baseUrl,
    api_key: 'sk-test',
    models: ['gpt-4o-mini'],
  }));
  rig = await openRig(folder, {
    providers: Object.fromEntries(NAMES.map((name, index) => [name, entries[index]])),
    routes: {
      all: { strategy: { mode: 'fallback' }, targets: NAMES.map((name) => ({ ...target, provider: name })) },
    },
    settings: { poll_seconds_min: 1 },
  });
});
afterEach(async () => {
  await rig.close();
  await Promise.all(servers.map((server) => server.stop()));
  await rm(folder, { recursive: true, force: true });
});

/** The same services, one of which has another batch service. */
function withService(name: string, change: (batch: Batch) => Partial<Batch>): Deps {
  const provider = rig.deps.providers.get(name);
  if (!provider?.batch) throw new Error('the provider has no batch service');
  const changed = {
    ...provider,
    convert: provider.convert.bind(provider),
    batch: { ...provider.batch, ...change(provider.batch) },
  };
  return { ...rig.deps, providers: new Map([...rig.deps.providers, [name, changed]]) };
}

const lines = chatLines(LINES, (index) =>
  APART.includes(index) ? { messages: [{ role: 'user', content: `Apart ${index}.` }] } : {},
);

async function end(deps: Deps, id: string): Promise<void> {
  const isClean = async () =>
    (await deps.store.batches.get('all', id))?.status === 'completed' &&
    (await deps.store.shards.list(id)).every((shard) => shard.cleanedAt !== null);
  expect(await workUntil(deps, isClean, { between: () => rig.advance(800), rounds: 400 })).toBe(true);
  expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: LINES, failed: 0 });
}

const numbers = (entries: { line: number | null }[]) =>
  entries.map(({ line }) => Number(line) - 1).sort((a, b) => a - b);

it('as they were refused before, at a service that counts nothing', async () => {
  const failure = refusal('unsupported', 'unsupported_in_batch', 'Not in a batch.');
  const deps = withService('first', (batch) => ({
    refuses: ({ body }: NativeRequest) => (body.includes('Apart') ? failure : null),
    poll: async (made: ProviderBatch, call: BatchCall) => ({ ...(await batch.poll(made, call)), counts: null }),
  }));
  const id = await beginBatch(deps, lines, { config: 'all' });
  await end(deps, id);
  const entries = await entriesOf(deps, id);
  expect(entries.filter(({ status }) => status === 'unknown')).toEqual([]);
  expect(entries).toHaveLength(LINES);
});

it('as they were answered before, elsewhere, at a service that is given up and shows nothing', async () => {
  servers[0]?.configure({ line_faults: [{ contains: 'Apart', status: 500 }] });
  const gone = { ...refusal('bad_response', 'results_gone', 'They are gone.'), reachedProvider: true };
  const id = await beginBatch(rig.deps, lines, { config: 'all' });
  const deps = withService('second', (batch) => ({
    // It runs on whatever it is told, until nobody waits for it any more.
    poll: async (made: ProviderBatch, call: BatchCall) => {
      const progress = await batch.poll(made, call);
      const isRunning = !(await rig.deps.store.shards.list(id)).some(({ state }) => state === 'abandoned');
      return isRunning ? { ...progress, state: 'running', reason: null, refs: {} } : progress;
    },
    // biome-ignore lint/correctness/useYield: it never comes to that.
    results: async function* (): AsyncGenerator<BatchResult> {
      throw new ProviderError(gone);
    },
  }));
  await end(deps, id);
  const entries = await entriesOf(deps, id);
  expect(numbers(entries.filter(({ status }) => status === 'unknown'))).toEqual(APART);
  expect(numbers(entries.filter(({ provider }) => provider === 'third'))).toEqual(APART);
});
