/** Results with a failure and an answer of the same line, the failure first: the answer counts, and is entered. */
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { BatchResult } from '../../../providers/contract.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { refusal } from '../../../src/core/failure.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { failuresLast } from '../../../src/services/shards/failures-last.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 20;
const failure = { ...refusal('server_error', 'server_error', 'Internal error.'), status: 500, reachedProvider: true };
const failed = { ok: false, failure, requestId: null, body: null, usage: null, rawUsage: null } as const;

let folder: string;
let remote: SimulatedBatchServer;
let other: SimulatedBatchServer;
let rig: Rig;
beforeAll(async () => {
  folder = await temporaryFolder();
  remote = await startOpenAIBatchServer();
  other = await startOpenAIBatchServer();
});
afterEach(() => rig.close());
afterAll(async () => {
  await Promise.all([remote.stop(), other.stop()]);
  await rm(folder, { recursive: true, force: true });
});

/** Weir on a service in whose results a failure stands before each answer; after an hour lines go to `other`. */
async function open(name: string): Promise<Deps> {
  const openai = (at: SimulatedBatchServer) => ({
    ...{ kind: 'openai', base_url: at.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] },
  });
  const target = { model: 'gpt-4o-mini', mode: 'batch' };
  const rescue = { after: '1h', to: { ...target, provider: 'other' } };
  rig = await openRig(`${folder}/${name}`, {
    providers: { openai: openai(remote), other: openai(other) },
    routes: { rescued: { strategy: { mode: 'single' }, targets: [{ ...target, provider: 'openai' }], rescue } },
    settings: { poll_seconds_min: 1 },
  });
  const provider = rig.deps.providers.get('openai')!;
  const batch = provider.batch!;
  const results = async function* (...asked: Parameters<typeof batch.results>): AsyncGenerator<BatchResult> {
    const answers: BatchResult[] = [];
    for await (const answer of batch.results(...asked)) answers.push(answer);
    for (const { key } of answers) yield { key, result: failed, raw: '{}' };
    yield* answers;
  };
  const doubled = { ...provider, batch: { ...batch, results } };
  return { ...rig.deps, providers: new Map([...rig.deps.providers, ['openai', doubled]]) };
}

const statusesOf = async (deps: Deps, id: string) =>
  (await entriesOf(deps, id)).map(
    ({ provider, status, amountNano }) => `${provider} ${status} ${amountNano !== null && amountNano > 0}`,
  );

it('of a batch that is waited for', async () => {
  const deps = await open('wanted');
  const id = await beginBatch(deps, chatLines(LINES), { config: 'rescued' });
  expect(await workUntil(deps, () => isSettled(deps, id), { between: () => rig.advance(30) })).toBe(true);
  expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: LINES, entries: LINES });
  expect(await statusesOf(deps, id)).toEqual(Array.from({ length: LINES }, () => 'openai succeeded true'));
});

it('of a batch whose lines went elsewhere', async () => {
  const deps = await open('waste');
  remote.configure({ stop_at: 0.5, faults: [{ on: 'cancel', fault: 405, times: null }] });
  const id = await beginBatch(deps, chatLines(LINES), { config: 'rescued' });
  const isAbandoned = async () => (await deps.store.shards.list(id)).some(({ state }) => state === 'abandoned');
  expect(await workUntil(deps, isAbandoned, { between: () => rig.advance(60), rounds: 120 })).toBe(true);
  remote.configure({ stop_at: null, faults: [] });
  expect(await workUntil(deps, () => isSettled(deps, id), { between: () => rig.advance(60) })).toBe(true);
  const statuses = await statusesOf(deps, id);
  expect(statuses.filter((text) => text === 'openai superseded true')).toHaveLength(LINES);
  expect(statuses).toHaveLength(2 * LINES);
});

it('holds no more failures than fit', async () => {
  const large = { rawLength: 9 * 1024 ** 2, raw: '', result: failed };
  const answer = { raw: '', result: { ok: true } as BatchResult['result'] };
  const given = ['a', 'b', 'c'].map((key) => ({ key, ...large }));
  const came: string[] = [];
  const all = async function* () {
    yield* given;
    yield { key: 'a', ...answer };
  };
  for await (const { key, result } of failuresLast(all())) came.push(`${key} ${result.ok}`);
  expect(came).toEqual(['c false', 'a true', 'b false']);
});
