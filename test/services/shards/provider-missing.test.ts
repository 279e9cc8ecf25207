/** Provider batches whose provider is taken out of the config, or comes back, while they are out. */
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { isTerminal } from '../../../src/core/batch-state.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { cancelBatch } from '../../../src/services/batches/cancel.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, contextOf, entriesOf, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 20;
const NOTHING = { live: 0, files: 0 };

describe('a provider batch whose provider is taken out of the config', () => {
  let folder: string;
  let rigs = 0;
  let rig: Rig;
  let remote: SimulatedBatchServer;
  let other: SimulatedBatchServer;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    await rig.close();
    await Promise.all([remote.stop(), other.stop()]);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** A batch whose provider batch is out and half done; `gone` works without its provider. */
  async function begin(): Promise<{ id: string; gone: Deps }> {
    [remote, other] = await Promise.all([
      startOpenAIBatchServer({ stop_at: 0.5, job_ms: 0, cancel_ms: 0 }),
      startOpenAIBatchServer(),
    ]);
    const openai = (at: SimulatedBatchServer) => ({
      ...{ kind: 'openai', base_url: at.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] },
    });
    const target = { model: 'gpt-4o-mini', mode: 'batch' };
    const config = {
      ...{ ...target, provider: 'openai' },
      rescue: { after: '1h', to: { ...target, provider: 'other' } },
    };
    rig = await openRig(`${folder}/${rigs++}`, {
      providers: { openai: openai(remote), other: openai(other) },
      routes: {
        rescued: { strategy: { mode: 'single' }, targets: [{ ...target, provider: 'openai' }], rescue: config.rescue },
      },
      settings: { poll_seconds_min: 1 },
    });
    const id = await beginBatch(rig.deps, chatLines(LINES), { config: 'rescued' });
    const isOut = async () => (await shards(id))[0]?.state === 'running';
    expect(await workUntil(rig.deps, isOut)).toBe(true);
    const providers = new Map([...rig.deps.providers].filter(([name]) => name === 'other'));
    return { id, gone: { ...rig.deps, providers } };
  }

  const shards = (id: string) => rig.deps.store.shards.list(id);
  const minutes = { between: () => rig.advance(60), rounds: 150 };

  async function workToEnd(deps: Deps, id: string) {
    const row = () => deps.store.batches.get('all', id);
    expect(await workUntil(deps, async () => isTerminal((await row())?.status ?? 'validating'), minutes)).toBe(true);
    return row();
  }

  /** What nobody can price, by provider. */
  async function doubtful(id: string): Promise<string[]> {
    const open = (await entriesOf(rig.deps, id)).filter(({ amountNano }) => amountNano === null);
    return open.map(({ provider, status }) => `${provider} ${status}`);
  }

  /** Its provider is configured again: nothing is to be left there. */
  async function comeBack(id: string): Promise<void> {
    const isCleaned = async () => (await shards(id)).every(({ cleanedAt }) => cleanedAt !== null);
    expect(await workUntil(rig.deps, isCleaned, minutes)).toBe(true);
    expect(remote.held()).toEqual(NOTHING);
  }

  it('and is cancelled ends with what nobody can price, and is stopped once its provider is back', async () => {
    const { id, gone } = await begin();
    await cancelBatch(gone, contextOf(gone), id);
    const ended = await workToEnd(gone, id);
    expect(ended).toMatchObject({ status: 'cancelled', failed: LINES, entries: LINES, unpricedEntries: LINES });
    expect(await doubtful(id)).toEqual(Array.from({ length: LINES }, () => 'openai unknown'));
    expect(remote.held().live).toBe(1);
    await comeBack(id);
    // Half of them ran: that takes the place of what was not known.
    const told = await rig.deps.store.batches.get('all', id);
    expect(told).toMatchObject({ entries: LINES / 2, unpricedEntries: 0 });
    expect(Number(told?.amountNano)).toBeGreaterThan(0);
  });

  it('goes on elsewhere when its time is over, with what nobody can price', async () => {
    const { id, gone } = await begin();
    const ended = await workToEnd(gone, id);
    expect(ended).toMatchObject({ status: 'completed', completed: LINES, entries: 2 * LINES, unpricedEntries: LINES });
    expect(await doubtful(id)).toHaveLength(LINES);
    await comeBack(id);
  });

  it('after its end has its files removed once its provider is back', async () => {
    const { id, gone } = await begin();
    remote.configure({ stop_at: null });
    await workToEnd(rig.deps, id);
    await workUntil(gone, () => false, { between: () => rig.advance(600), rounds: 5 });
    await comeBack(id);
  });
});
