/** Provider batches that their provider refuses as a whole, for lines of theirs or for a cause that is no line's. */
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { BatchCall, Progress, ProviderBatch, ShardInput } from '../../../providers/contract.ts';
import { ProviderError } from '../../../providers/contract.ts';
import { startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { refusal } from '../../../src/core/failure.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, isSettled, openRig, workUntil } from './rig.ts';

const MESSAGE = 'The batch is not valid.';
const poison = [{ role: 'user', content: 'poison' }];

/** The errors of the lines of a batch that failed. */
async function errorsOf(deps: Deps, batchId: string): Promise<{ code: string; message: string }[]> {
  const batch = await deps.store.batches.get('all', batchId);
  const range = { offset: 0, length: 10_000_000 };
  const text = Buffer.from(await deps.files.readRange(`files/${batch?.errorFileId}`, range)).toString();
  return text
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { error: { code: string; message: string } }).error);
}

describe('a provider batch that is refused as a whole', () => {
  let folder: string;
  let rigs = 0;
  const open: { close(): Promise<void> }[] = [];
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /**
   * Weir on a service that refuses what holds the word: when it is created, or later, in its validation. The route `native`
   * has nothing else, `rescued` another service behind it, and with `singly` its lines may also be asked for one by one.
   */
  async function refusing(word: string, when: 'at once' | 'later', param: string | null = null) {
    const remote = await startOpenAIBatchServer();
    const spare = await startOpenAIBatchServer();
    open.push({ close: () => remote.stop() }, { close: () => spare.stop() });
    const target = { provider: 'openai', model: 'gpt-4o-mini', mode: 'batch' };
    const account = { kind: 'openai', api_key: 'sk-test', models: ['gpt-4o-mini'] };
    const rig = await openRig(`${folder}/${rigs++}`, {
      providers: {
        openai: { ...account, base_url: remote.baseUrl },
        spare: { ...account, base_url: spare.baseUrl },
      },
      routes: {
        native: { strategy: { mode: 'single' }, targets: [target] },
        singly: { strategy: { mode: 'single' }, targets: [{ ...target, mode: 'auto' }] },
        rescued: { strategy: { mode: 'fallback' }, targets: [target, { ...target, provider: 'spare' }] },
      },
      settings: { poll_seconds_min: 1 },
    });
    open.push(rig);
    const provider = rig.deps.providers.get('openai');
    if (!provider?.batch) throw new Error('the provider has no batch service');
    const { batch } = provider;
    const failure = { ...refusal('invalid_request', 'invalid_batch', MESSAGE, param), reachedProvider: true };
    const calls = { submitted: 0 };
    const bad = new Set<string>();
    const submit = async (input: ShardInput, call: BatchCall) => {
      calls.submitted += 1;
      let text = '';
      for await (const chunk of input.open()) text += Buffer.from(chunk).toString();
      const isBad = text.includes(word);
      if (isBad && when === 'at once') throw new ProviderError({ ...failure, status: 400 });
      const made = await batch.submit(input, call);
      if (isBad) bad.add(made.id);
      return made;
    };
    const failed = { state: 'failed', reason: 'failed', raw: 'failed', counts: null, failure } as const;
    const poll = (made: ProviderBatch, call: BatchCall): Promise<Progress> =>
      bad.has(made.id)
        ? Promise.resolve({ ...failed, lines: [], refs: {}, details: null, endedAt: null })
        : batch.poll(made, call);
    const picky = { ...provider, convert: provider.convert.bind(provider), batch: { ...batch, submit, poll } };
    const deps = { ...rig.deps, providers: new Map([...rig.deps.providers, ['openai', picky]]) };
    const work = async (id: string, rounds = 200) =>
      workUntil(deps, () => isSettled(deps, id), { between: () => rig.advance(5), rounds });
    return { rig, deps, calls, work };
  }

  it.each(['at once', 'later'] as const)(
    '%s, whatever is in it, is tried in 23 parts at most; then its lines fail, with the provider’s reason',
    async (when) => {
      const { deps, calls, work } = await refusing('Question', when);
      const id = await beginBatch(deps, chatLines(500), { config: 'native' });
      expect(await work(id)).toBe(true);
      expect(calls.submitted).toBeLessThanOrEqual(23);
      const batch = await deps.store.batches.get('all', id);
      expect(batch).toMatchObject({ status: 'completed', completed: 0, failed: 500, entries: 0 });
      const errors = await errorsOf(deps, id);
      expect(errors).toHaveLength(500);
      expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['batch_refused']));
      expect(errors.every(({ message }) => message.endsWith(MESSAGE))).toBe(true);
    },
  );

  it.each(['at once', 'later'] as const)(
    '%s, whatever is in it, has every line go to the next target',
    async (when) => {
      const { deps, calls, work } = await refusing('Question', when);
      const id = await beginBatch(deps, chatLines(200), { config: 'rescued' });
      expect(await work(id)).toBe(true);
      expect(calls.submitted).toBeLessThanOrEqual(23);
      expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: 200, failed: 0, entries: 200 });
    },
  );

  it.each(['at once', 'later'] as const)('%s for one line loses that one, and none with it', async (when) => {
    const { deps, calls, work } = await refusing('poison', when);
    const lines = chatLines(2_000, (index) => (index === 1_234 ? { messages: poison } : {}));
    const id = await beginBatch(deps, lines, { config: 'native' });
    expect(await work(id)).toBe(true);
    expect(calls.submitted).toBeLessThanOrEqual(2 * 11 + 5);
    expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: 1_999, failed: 1, entries: 1_999 });
    expect((await errorsOf(deps, id)).map(({ code }) => code)).toEqual(['invalid_batch']);
  });

  it('for every other line asks for no ever smaller parts where the lines can be asked for one by one', async () => {
    const { rig, deps, calls } = await refusing('poison', 'at once');
    const lines = chatLines(800, (index) => (index % 2 === 0 ? { messages: poison } : {}));
    const id = await beginBatch(deps, lines, { config: 'singly' });
    const areLeft = async () =>
      (await deps.store.shards.list(id)).every(({ state }) => state === 'done') &&
      (await deps.store.segments.backlog()).length > 0;
    expect(await workUntil(deps, areLeft, { between: () => rig.advance(5), rounds: 200 })).toBe(true);
    expect(calls.submitted).toBeLessThan(200);
    // Samples of one line, which were refused for themselves.
    expect((await deps.store.batches.get('all', id))?.failed).toBeLessThan(20);
  });

  it('for its call is made once: no part of it would fare better', async () => {
    const { deps, calls, work } = await refusing('Question', 'at once', 'completion_window');
    const id = await beginBatch(deps, chatLines(50), { config: 'native' });
    expect(await work(id)).toBe(true);
    expect(calls.submitted).toBe(1);
    expect(await deps.store.batches.get('all', id)).toMatchObject({ completed: 0, failed: 50 });
  });
});
