/**
 * Kills the process before and after every write and every call of a native batch's life, one point at a time, starts it
 * anew, and asks for the same books each time: one provider batch, one ledger entry per line, nothing left behind. So
 * too where lines ask the same: what is asked is asked once.
 */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Provider } from '../../../providers/contract.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { sweepProviders } from '../../../src/services/shards/orphans.ts';
import { ShardRunner } from '../../../src/services/shards/run.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { Mortality } from '../mortality.ts';
import { beginBatch, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 12;
const QUESTIONS = 5;
/** Of a provider batch, where lines ask the same: some are alike within one, some across two. */
const SHARD_LINES = 8;

describe('a native batch whose process dies', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  function open(remote: SimulatedBatchServer, name: string): Promise<Rig> {
    return openRig(`${folder}/${name}`, {
      providers: {
        openai: { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] },
      },
      routes: { kept: { provider: 'openai', model: 'gpt-4o-mini', mode: 'batch', cache: { mode: 'simple' } } },
      settings: { poll_seconds_min: 0 },
    });
  }

  function bounded(deps: Deps): Deps {
    const provider = deps.providers.get('openai') as Provider;
    const batch = { ...provider.batch!, limits: { ...provider.batch!.limits, lines: SHARD_LINES } };
    return {
      ...deps,
      providers: new Map([['openai', { ...provider, convert: provider.convert.bind(provider), batch }]]),
    };
  }

  function mortal(deps: Deps, mortality: Mortality): Deps {
    const provider = deps.providers.get('openai') as Provider;
    // Of a dead process nothing comes of these.
    const { line, refuses, results } = provider.batch!;
    const wrapped = mortality.wrap(provider.batch!, ['submit', 'find', 'poll', 'cleanup']);
    const batch = { ...wrapped, line, results, ...(refuses && { refuses }) };
    const shards = mortality.wrap(deps.store.shards, ['save', 'commit', 'settle', 'insertMany', 'ask']);
    return {
      ...deps,
      files: mortality.wrap(deps.files, ['create', 'delete']),
      store: { ...deps.store, shards, ledger: mortality.wrap(deps.store.ledger, ['append']) },
      providers: new Map([['openai', { ...provider, convert: provider.convert.bind(provider), batch }]]),
    };
  }

  /** Works until the batch is done and cleaned up, or the process dies. */
  async function work(deps: Deps, id: string, isDead: () => boolean, between?: () => void): Promise<void> {
    const runner = new ShardRunner(deps);
    await deps.store.shards.recover({ others: runner.token }).catch(() => 0);
    const isDone = async () => isDead() || (await isSettled(deps, id));
    await workUntil(deps, isDone, { runner, ...(between && { between }) });
  }

  async function liveAndDie(at: number): Promise<boolean> {
    const remote = await startOpenAIBatchServer();
    const first = await open(remote, `run-${at}`);
    const id = await beginBatch(first.deps, chatLines(LINES));
    const mortality = new Mortality(at);
    // Leases of the dead are not given back: the next process takes them over.
    await work(mortal(first.deps, mortality), id, () => mortality.dead);
    await first.leave();

    const second = await open(remote, `run-${at}`);
    const { deps } = second;
    if (mortality.dead) second.advance(60);
    await work(deps, id, () => false);
    second.advance(3_600);
    await sweepProviders(deps, AbortSignal.timeout(10_000));
    try {
      const batch = await deps.store.batches.get('all', id);
      expect(batch, `killed at half-step ${at}`).toMatchObject({
        status: 'completed',
        total: LINES,
        completed: LINES,
        failed: 0,
      });
      expect(batch?.entries, `entries, killed at half-step ${at}`).toBe(LINES);
      const lines = (await entriesOf(deps, id)).map((entry) => entry.line ?? 0);
      expect(lines.toSorted((a, b) => a - b)).toEqual(Array.from({ length: LINES }, (_, index) => index + 1));
      expect(remote.counters.batches_created, `provider batches, killed at half-step ${at}`).toBe(1);
      expect(remote.held(), `left behind, killed at half-step ${at}`).toEqual({ live: 0, files: 0 });
    } finally {
      await second.close();
      await remote.stop();
    }
    return mortality.dead;
  }

  async function shareAndDie(at: number): Promise<boolean> {
    const remote = await startOpenAIBatchServer();
    const first = await open(remote, `shared-${at}`);
    const ask = (index: number) => ({ messages: [{ role: 'user', content: `Ask ${index % QUESTIONS}.` }] });
    const id = await beginBatch(first.deps, chatLines(LINES, ask), { config: 'kept' });
    const mortality = new Mortality(at);
    await work(
      mortal(bounded(first.deps), mortality),
      id,
      () => mortality.dead,
      () => first.advance(5),
    );
    await first.leave();
    const second = await open(remote, `shared-${at}`);
    const { deps } = second;
    second.advance(mortality.dead ? 300 : 0);
    const next = bounded(deps);
    await work(
      next,
      id,
      () => false,
      () => second.advance(5),
    );
    second.advance(3_600);
    await sweepProviders(deps, AbortSignal.timeout(10_000));
    const where = `killed at half-step ${at}`;
    try {
      const batch = await deps.store.batches.get('all', id);
      expect(batch, where).toMatchObject({ status: 'completed', total: LINES, completed: LINES, failed: 0 });
      const entries = await entriesOf(deps, id);
      const lines = entries.map((entry) => entry.line ?? 0).toSorted((a, b) => a - b);
      expect(lines, where).toEqual(Array.from({ length: LINES }, (_, index) => index + 1));
      expect(entries.filter(({ amountNano }) => amountNano !== 0).length, where).toBe(QUESTIONS);
      expect(remote.counters.lines_run, where).toBe(QUESTIONS);
      expect(remote.held(), where).toEqual({ live: 0, files: 0 });
    } finally {
      await second.close();
      await remote.stop();
    }
    return mortality.dead;
  }

  it('buys what several of its lines ask once, wherever it dies', async () => {
    // After each step alone: what lies between two of them is the same to both.
    let at = 1;
    while (await shareAndDie(at)) at += 2;
    expect(at).toBeGreaterThan(25);
  }, 180_000);

  it('has one provider batch and one entry per line, wherever it dies', async () => {
    let points = 0;
    while (await liveAndDie(points)) points += 1;
    expect(points).toBeGreaterThan(20);
  }, 180_000);
});
