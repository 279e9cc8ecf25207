/**
 * Kills the process before and after every write and every call of a native batch's life, one point at a time, starts it
 * anew, and asks for the same books each time: one provider batch, one ledger entry per line, nothing left behind.
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
      settings: { poll_seconds_min: 0 },
    });
  }

  function mortal(deps: Deps, mortality: Mortality): Deps {
    const provider = deps.providers.get('openai') as Provider;
    const batch = mortality.wrap(provider.batch!, ['submit', 'find', 'poll', 'cleanup']);
    const shards = mortality.wrap(deps.store.shards, ['save', 'commit', 'settle', 'insertMany']);
    return {
      ...deps,
      files: mortality.wrap(deps.files, ['create', 'delete']),
      store: { ...deps.store, shards, ledger: mortality.wrap(deps.store.ledger, ['append']) },
      providers: new Map([['openai', { ...provider, convert: provider.convert.bind(provider), batch }]]),
    };
  }

  /** Works until the batch is done and cleaned up, or the process dies. */
  async function work(deps: Deps, id: string, isDead: () => boolean): Promise<void> {
    const runner = new ShardRunner(deps);
    await deps.store.shards.recover({ others: runner.token }).catch(() => 0);
    await workUntil(deps, async () => isDead() || (await isSettled(deps, id)), { runner });
  }

  async function liveAndDie(at: number): Promise<boolean> {
    const remote = await startOpenAIBatchServer();
    const first = await open(remote, `run-${at}`);
    const id = await beginBatch(first.deps, chatLines(LINES));
    const mortality = new Mortality(at);
    // Leases of the dead are not given back: the next process takes them over.
    await work(mortal(first.deps, mortality), id, () => mortality.dead);
    await first.close();

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

  it('has one provider batch and one entry per line, wherever it dies', async () => {
    let points = 0;
    while (await liveAndDie(points)) points += 1;
    expect(points).toBeGreaterThan(20);
  }, 180_000);
});
