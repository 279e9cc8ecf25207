/** Batches that are cancelled while their provider batches are being made: nothing runs on unknown, and nothing paid is hidden. */
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type BatchApi, type Provider, ProviderError } from '../../../providers/contract.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { isTerminal } from '../../../src/core/batch-state.ts';
import { refusal } from '../../../src/core/failure.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { cancelBatch } from '../../../src/services/batches/cancel.ts';
import { pauseBatch, resumeBatch } from '../../../src/services/batches/pause.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, contextOf, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 20;
const NOTHING = { live: 0, files: 0 };

describe('a batch that is cancelled while it is submitted', () => {
  let folder: string;
  let rigs = 0;
  let rig: Rig;
  let remote: SimulatedBatchServer;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    await rig.close();
    await remote.stop();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Weir on one service whose batches stay half done; `change` is laid over the provider's own batch API. */
  async function open(change: (api: BatchApi) => Partial<BatchApi>): Promise<Deps> {
    remote = await startOpenAIBatchServer({ stop_at: 0.5, job_ms: 0, cancel_ms: 0 });
    rig = await openRig(`${folder}/${rigs++}`, {
      providers: {
        openai: { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] },
      },
      settings: { poll_seconds_min: 10 },
    });
    const provider = rig.deps.providers.get('openai') as Provider;
    const batch = { ...provider.batch!, ...change(provider.batch!) };
    const changed = { ...provider, convert: provider.convert.bind(provider), batch };
    return { ...rig.deps, providers: new Map([['openai', changed]]) };
  }

  const cancel = (deps: Deps, id: string) => cancelBatch(deps, contextOf(deps), id);

  async function workToEnd(deps: Deps, id: string) {
    const row = () => deps.store.batches.get('all', id);
    const isCleaned = async () => (await deps.store.shards.list(id)).every(({ cleanedAt }) => cleanedAt !== null);
    const isDone = async () => isTerminal((await row())?.status ?? 'validating') && (await isCleaned());
    expect(await workUntil(deps, isDone, { between: () => rig.advance(5), rounds: 100 })).toBe(true);
    return row();
  }

  it.each([
    ['is cancelled', 'cancelled'],
    ['expires', 'expired'],
  ] as const)('or %s says so of each line that its provider left out then', async (_, status) => {
    const deps = await open(() => ({}));
    const config = { provider: 'openai', model: 'gpt-4o-mini', mode: 'batch' };
    const id = await beginBatch(deps, chatLines(LINES), { completion_window: '5m', config });
    if (status === 'cancelled') {
      const isOut = async () => (await deps.store.shards.list(id))[0]?.state === 'running';
      expect(await workUntil(deps, isOut)).toBe(true);
      await cancel(deps, id);
    }
    const ended = await workToEnd(deps, id);
    expect(ended).toMatchObject({ status, completed: 10, failed: 10, entries: 10 });
    const errors = await deps.files.readRange(`files/${ended?.errorFileId}`, { offset: 0, length: 100_000 });
    const lines = Buffer.from(errors).toString('utf8').trimEnd().split('\n');
    expect(lines.every((line) => line.includes(`"code":"batch_${status}"`))).toBe(true);
  });

  it('before its create call makes no provider batch', async () => {
    const deps = await open(() => ({}));
    const id = await beginBatch(deps, chatLines(LINES));
    const create: Deps['files']['create'] = async (key) => {
      if (key.includes('/shards/')) await cancel(deps, id);
      return deps.files.create(key);
    };
    const files = { ...deps.files, create };
    expect(await workToEnd({ ...deps, files }, id)).toMatchObject({ status: 'cancelled', failed: LINES, entries: 0 });
    expect(remote.counters.batches_created).toBe(0);
  });

  it('and paused before its create call is submitted when it is resumed', async () => {
    const deps = await open(() => ({}));
    remote.configure({ stop_at: null });
    const id = await beginBatch(deps, chatLines(LINES));
    let pauses = 0;
    const create: Deps['files']['create'] = async (key) => {
      if (key.includes('/shards/') && pauses++ === 0) await pauseBatch(deps, contextOf(deps), id);
      return deps.files.create(key);
    };
    const held = { ...deps, files: { ...deps.files, create } };
    await workUntil(held, () => false, { rounds: 3, between: () => rig.advance(5) });
    expect([pauses, remote.counters.batches_created]).toEqual([1, 0]);
    await resumeBatch(deps, contextOf(deps), id);
    expect(await workToEnd(held, id)).toMatchObject({ status: 'completed', completed: LINES });
    expect(remote.counters.batches_created).toBe(1);
  });

  it('while the create call is under way ends the provider batch, and pays for and delivers what it did', async () => {
    let id = '';
    const deps = await open((api) => ({
      async submit(input, call) {
        const made = await api.submit(input, call);
        await cancel(deps, id);
        return made;
      },
    }));
    id = await beginBatch(deps, chatLines(LINES));
    expect(await workToEnd(deps, id)).toMatchObject({ status: 'cancelled', completed: 10, failed: 10, entries: 10 });
    expect([remote.counters.batches_created, remote.held()]).toEqual([1, NOTHING]);
  });

  const lost = { ...refusal('timeout', 'timeout', 'No answer.'), reachedProvider: true };

  it.each([
    ['whose answer was lost', new ProviderError(lost)],
    ['that could not be noted', new Error('the disk is full')],
  ])('after a create call that worked and %s finds it, though the list of batches shows it late', async (_, error) => {
    let madeAt = Number.POSITIVE_INFINITY;
    const deps = await open((api) => ({
      async submit(input, call) {
        const { batch_id: _unknown, ...refs } = (await api.submit(input, { ...call, saved: keep })).refs;
        await call.saved(refs);
        madeAt = rig.deps.clock.now();
        throw error;
      },
      find: async (...asked) => (rig.deps.clock.now() - madeAt < 25_000 ? null : api.find(...asked)),
    }));
    const keep = () => Promise.resolve();
    const id = await beginBatch(deps, chatLines(LINES));
    expect(await workUntil(deps, () => Number.isFinite(madeAt))).toBe(true);
    await cancel(deps, id);
    expect(await workToEnd(deps, id)).toMatchObject({ status: 'cancelled', completed: 10, failed: 10, entries: 10 });
    expect([remote.counters.batches_created, remote.held()]).toEqual([1, NOTHING]);
  });
});
