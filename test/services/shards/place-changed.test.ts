/** The config names another place while a provider batch is out: its answers are where it was made. */
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { isTerminal } from '../../../src/core/batch-state.ts';
import { cancelBatch } from '../../../src/services/batches/cancel.ts';
import { countAlerts } from '../../../src/services/shards/alerts.ts';
import { presentShards } from '../../../src/services/shards/present.ts';
import { chatModels, type NativeServices, startNativeServices } from '../../e2e/native-services.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, contextOf, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

describe('another bucket and prefix', () => {
  const LINES = 100;

  let services: NativeServices;
  let folder: string;
  let rig: Rig;

  afterEach(async () => {
    await rig.close();
    await services.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function open(name: 'bedrock' | 'vertex', place: object): Promise<Rig> {
    return openRig(folder, {
      providers: { [name]: { ...services.providers[name], ...place } },
      routes: { one: { provider: name, model: chatModels[name], mode: 'batch' } },
      settings: { poll_seconds_min: 1 },
    });
  }

  it.each(['bedrock', 'vertex'] as const)('of %s', async (name) => {
    folder = await temporaryFolder();
    services = await startNativeServices({ jobMs: 30 });
    services.hold(true);
    rig = await open(name, {});
    const id = await beginBatch(rig.deps, chatLines(LINES), { config: 'one' });
    const isOut = async () => (await rig.deps.store.shards.list(id))[0]?.state === 'running';
    expect(await workUntil(rig.deps, isOut, { between: () => rig.advance(15) })).toBe(true);
    await rig.leave();

    rig = await open(name, { bucket: 'another-bucket', prefix: name === 'bedrock' ? 'elsewhere/' : 'elsewhere' });
    services.hold(false);
    const isDone = async () => {
      // Jobs take their time by the real clock.
      await new Promise((wake) => setTimeout(wake, 20));
      return isSettled(rig.deps, id);
    };
    expect(await workUntil(rig.deps, isDone, { between: () => rig.advance(60), rounds: 150 })).toBe(true);
    expect(await rig.deps.store.batches.get('all', id)).toMatchObject({
      completed: LINES,
      entries: LINES,
      unpricedEntries: 0,
    });
    expect([services.created()[name], services.left()[name]]).toEqual([1, { live: 0, files: 0 }]);
  });
});

describe('another address or account', () => {
  const LINES = 20;
  const MODEL = 'gpt-4o-mini';
  const KEY = 'sk-of-the-batch';
  const GONE = { on: 'poll', fault: 404, times: null } as const;
  let folders: string;
  let folder: string;
  let rigs = 0;
  let opened: Rig | null = null;
  let openedIn = '';
  let rig: Rig;
  /** Where the provider batch is made, and where the config points later. */
  let old: SimulatedBatchServer;
  let other: SimulatedBatchServer;
  beforeAll(async () => {
    folders = await temporaryFolder();
    old = await startOpenAIBatchServer();
    other = await startOpenAIBatchServer();
  });
  afterAll(async () => {
    await rig.close();
    await Promise.all([old.stop(), other.stop()]);
    await rm(folders, { recursive: true, force: true });
  });

  const at = (server: SimulatedBatchServer, key = KEY) => ({
    ...{ kind: 'openai', base_url: server.baseUrl, api_key: key, models: [MODEL] },
  });

  /** Opens the data folder with these settings of the provider, and more providers. */
  async function reopen(provider: object, more: object = {}): Promise<void> {
    const ahead = opened === null ? 0 : (opened.deps.clock.now() - Date.now()) / 1000;
    if (opened !== null) await (openedIn === folder ? opened.leave() : opened.close());
    const target = { provider: 'main', model: MODEL, mode: 'batch' };
    rig = await openRig(folder, {
      providers: { main: provider, rescuer: at(other, 'sk-rescuer'), ...more },
      routes: {
        native: target,
        rescued: {
          strategy: { mode: 'single' },
          targets: [target],
          rescue: { after: '6h', to: { ...target, provider: 'rescuer' } },
        },
      },
      settings: { poll_seconds_min: 1 },
    });
    opened = rig;
    openedIn = folder;
    rig.advance(ahead);
  }

  /** A batch whose provider batch is out, and in `state`. */
  async function begin(state: 'submitting' | 'running' | 'collecting', route = 'native'): Promise<string> {
    rigs += 1;
    folder = `${folders}/${rigs}`;
    const faults = state === 'submitting' ? [{ on: 'create', fault: 'lose_answer' } as const] : [];
    old.configure({
      stop_at: state === 'collecting' ? null : 0.5,
      job_ms: 0,
      cancel_ms: 0,
      faults: [...faults, { on: 'content', fault: 500, times: null }],
    });
    other.configure({ stop_at: null, job_ms: 0, faults: [] });
    await reopen(at(old));
    const id = await beginBatch(rig.deps, chatLines(LINES), { config: route });
    const hasCome = async () => (await shardOf(id))?.state === state;
    expect(await workUntil(rig.deps, hasCome, { between: () => rig.advance(5) })).toBe(true);
    return id;
  }

  const shardOf = async (id: string) => (await presentShards(rig.deps, id, false))[0];
  const row = (id: string) => rig.deps.store.batches.get('all', id);
  const pass = (minutes: number) =>
    workUntil(rig.deps, () => false, { rounds: minutes / 5, between: () => rig.advance(300) });
  const made = () => old.counters.batches_created + other.counters.batches_created;

  async function workToEnd(id: string) {
    old.configure({ stop_at: null, faults: [] });
    const isDone = async () =>
      isTerminal((await row(id))?.status ?? 'validating') &&
      (await rig.deps.store.shards.list(id)).every(({ cleanedAt }) => cleanedAt !== null);
    expect(await workUntil(rig.deps, isDone, { between: () => rig.advance(120), rounds: 150 })).toBe(true);
    return row(id);
  }

  it.each([
    ['submitting', 'the old one under another name', () => reopen(at(other), { before: at(old) })],
    ['running', 'the old one under another name', () => reopen(at(other), { before: at(old) })],
    ['collecting', 'the old one under another name', () => reopen(at(other), { before: at(old) })],
    ['running', 'the old one in place of the new', () => reopen(at(old))],
  ] as const)(
    'of a batch that is %s: nothing is bought again, and it goes on with %s',
    async (state, _what, restore) => {
      const before = made();
      const id = await begin(state);
      await reopen(at(other));
      await pass(90);
      expect(made()).toBe(before + 1);
      const alert = (await shardOf(id))?.alert;
      expect(alert?.message).toContain("another address, region or account than 'main' has in the config now");
      expect(await countAlerts(rig.deps)).toHaveLength(1);
      await restore();
      expect(await workToEnd(id)).toMatchObject({ completed: LINES, entries: LINES, unpricedEntries: 0 });
      expect(made()).toBe(before + 1);
      expect(old.held()).toEqual({ live: 0, files: 0 });
    },
  );

  it('whose key sees another account', async () => {
    const before = made();
    const id = await begin('running');
    await reopen(at(old, 'sk-of-another-project'));
    old.configure({ faults: [GONE] });
    await pass(90);
    expect((await shardOf(id))?.alert).toMatchObject({ code: 'needs_operator' });
    // Another key of the same account sees it.
    expect(await workToEnd(id)).toMatchObject({ completed: LINES, entries: LINES, unpricedEntries: 0 });
    expect(made()).toBe(before + 1);
  });

  it.each(['running', 'submitting'] as const)(
    'of a batch that is %s: lines that may wait no longer go on without it, and what it cost is told once it is found',
    async (state) => {
      const id = await begin(state, 'rescued');
      await reopen(at(other));
      await pass(400);
      expect(await row(id)).toMatchObject({ completed: LINES, entries: 2 * LINES, unpricedEntries: LINES });
      // Days later it is still not taken for gone.
      rig.advance(3 * 86_400);
      await pass(60);
      await reopen(at(old));
      expect(await workToEnd(id)).toMatchObject({ completed: LINES, unpricedEntries: 0 });
      const statuses = (await entriesOf(rig.deps, id)).map(({ provider, status }) => `${provider} ${status}`);
      expect(statuses.filter((text) => text === 'main superseded').length).toBeGreaterThan(0);
      expect(old.held()).toEqual({ live: 0, files: 0 });
    },
  );

  it('of a batch that is cancelled: it ends with what nobody can price, and is stopped once it is found', async () => {
    const id = await begin('running');
    await reopen(at(other));
    await cancelBatch(rig.deps, contextOf(rig.deps), id);
    await pass(60);
    expect(await row(id)).toMatchObject({ status: 'cancelled', failed: LINES, entries: LINES, unpricedEntries: LINES });
    await reopen(at(old));
    expect(await workToEnd(id)).toMatchObject({ entries: LINES, unpricedEntries: 0 });
    expect(old.held()).toEqual({ live: 0, files: 0 });
  });

  it('is taken for gone after minutes where the key is the same', async () => {
    const id = await begin('running', 'rescued');
    old.configure({ faults: [GONE] });
    await pass(60);
    expect(await row(id)).toMatchObject({ completed: LINES, entries: 2 * LINES, unpricedEntries: LINES });
  });

  it('where a key is refused says so', async () => {
    const id = await begin('running');
    await reopen(at(other));
    other.configure({ faults: [{ on: 'any', fault: 401, times: null }] });
    await pass(20);
    const { alert } = (await shardOf(id)) ?? {};
    expect(alert).toMatchObject({ code: 'needs_operator' });
    expect(alert?.message).toMatch(/^place_changed: .* What is there now says: ./);
  });
});
