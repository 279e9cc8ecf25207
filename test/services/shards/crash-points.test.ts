/**
 * Kills the process before and after every write and every call of a native batch's life, one point at a time, starts it
 * anew, and asks for the same books each time: one provider batch, one ledger entry per line, nothing left behind.
 */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Provider } from '../../../providers/contract.ts';
import { kinds } from '../../../providers/registry.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { formatId, ID_BYTES } from '../../../src/core/ids.ts';
import type { Context, Deps } from '../../../src/ports/deps.ts';
import { loadConfig } from '../../../src/runtime/load.ts';
import { nodeDeps } from '../../../src/runtime/node.ts';
import { createBatch } from '../../../src/services/batches/create.ts';
import { createFile } from '../../../src/services/files/create.ts';
import { sweepProviders } from '../../../src/services/shards/orphans.ts';
import { ShardRunner } from '../../../src/services/shards/run.ts';
import { tick } from '../../../src/services/tick.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';

const LINES = 12;

/** What a killed process answers to everything. */
class Killed extends Error {}

/** Counts calls; at the chosen one (half-steps: before, after) the process is dead, and stays so. */
class Mortality {
  passed = 0;
  dead = false;
  private readonly at: number;
  constructor(at: number) {
    this.at = at;
  }

  wrap<T extends object>(target: T, names: readonly string[]): T {
    return new Proxy(target, {
      get: (object, name) => {
        const value: unknown = Reflect.get(object, name);
        if (typeof value !== 'function') return value;
        const method = value as (...args: unknown[]) => unknown;
        if (!names.includes(String(name))) {
          return (...args: unknown[]) => {
            if (this.dead) return Promise.reject(new Killed());
            return method.apply(object, args);
          };
        }
        return async (...args: unknown[]) => {
          this.step();
          const result = await method.apply(object, args);
          this.step();
          return result;
        };
      },
    });
  }

  private step(): void {
    if (this.passed++ === this.at) this.dead = true;
    if (this.dead) throw new Killed();
  }
}

describe('a native batch whose process dies', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function open(remote: SimulatedBatchServer, name: string): Promise<Deps> {
    const config = {
      providers: {
        openai: { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] },
      },
      settings: { poll_seconds_min: 0 },
    };
    const loaded = await loadConfig({
      environment: { WEIR_DATA_DIR: `${folder}/${name}` },
      kinds,
      readText: () => Promise.resolve(JSON.stringify(config)),
    });
    return nodeDeps(loaded, true);
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

  const context = (deps: Deps): Context => ({
    actor: { tenantId: 'default', keyId: null, role: 'admin' },
    newId: (prefix) => formatId(prefix, deps.random.bytes(ID_BYTES)),
    signal: new AbortController().signal,
  });

  async function begin(deps: Deps): Promise<string> {
    const file = await createFile(deps, context(deps), {
      content: (async function* () {
        yield Buffer.from(chatLines(LINES));
      })(),
      purpose: 'batch',
      details: () => Promise.resolve({ filename: 'a.jsonl', purpose: 'batch', expiresAfterSeconds: null }),
    });
    const batch = await createBatch(deps, context(deps), {
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
    return batch.id;
  }

  /** Works until the batch is done and cleaned up, or the process dies. */
  async function work(deps: Deps, id: string, isDead: () => boolean): Promise<void> {
    const runner = new ShardRunner(deps);
    await deps.store.shards.recover({ others: runner.token }).catch(() => 0);
    for (let round = 0; round < 60 && !isDead(); round++) {
      await tick(deps).catch(() => undefined);
      await runner.wake().catch(() => undefined);
      await runner.idle();
      if (isDead()) return;
      const batch = await deps.store.batches.get('all', id);
      const shards = await deps.store.shards.list(id);
      if (batch?.status === 'completed' && shards.every((shard) => shard.cleanedAt !== null)) return;
    }
  }

  async function liveAndDie(at: number): Promise<boolean> {
    const remote = await startOpenAIBatchServer();
    const first = await open(remote, `run-${at}`);
    const id = await begin(first);
    const mortality = new Mortality(at);
    // Leases of the dead are not given back: the next process takes them over.
    await work(mortal(first, mortality), id, () => mortality.dead);
    await first.store.close();

    const second = await open(remote, `run-${at}`);
    const later: Deps = {
      ...second,
      clock: { ...second.clock, now: () => second.clock.now() + (mortality.dead ? 60_000 : 0) },
    };
    await work(later, id, () => false);
    const muchLater: Deps = { ...second, clock: { ...second.clock, now: () => second.clock.now() + 3_600_000 } };
    await sweepProviders(muchLater, AbortSignal.timeout(10_000));
    try {
      const batch = await second.store.batches.get('all', id);
      expect(batch, `killed at half-step ${at}`).toMatchObject({
        status: 'completed',
        total: LINES,
        completed: LINES,
        failed: 0,
      });
      expect(batch?.entries, `entries, killed at half-step ${at}`).toBe(LINES);
      const entries = await second.store.ledger.entries({ tenantId: null, batchId: id }, { limit: 100 });
      expect(entries?.map((entry) => entry.line).toSorted((a, b) => (a ?? 0) - (b ?? 0))).toEqual(
        Array.from({ length: LINES }, (_, index) => index + 1),
      );
      expect(remote.counters.batches_created, `provider batches, killed at half-step ${at}`).toBe(1);
      expect(remote.held(), `left behind, killed at half-step ${at}`).toEqual({ live: 0, files: 0 });
    } finally {
      await second.store.close();
      await second.http.close();
      await first.http.close();
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
