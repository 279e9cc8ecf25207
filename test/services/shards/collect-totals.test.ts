/** Kills the process in the middle of collecting answers whose usage is estimated from a job's totals. */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kinds } from '../../../providers/registry.ts';
import { type SimulatedBedrock, startBedrockServer } from '../../../providers/sandbox/servers/bedrock.ts';
import { formatId, ID_BYTES } from '../../../src/core/ids.ts';
import type { Context, Deps } from '../../../src/ports/deps.ts';
import type { StoreShards } from '../../../src/ports/store-shards.ts';
import { loadConfig } from '../../../src/runtime/load.ts';
import { nodeDeps } from '../../../src/runtime/node.ts';
import { createBatch } from '../../../src/services/batches/create.ts';
import { createFile } from '../../../src/services/files/create.ts';
import { ShardRunner } from '../../../src/services/shards/run.ts';
import { tick } from '../../../src/services/tick.ts';
import { temporaryFolder } from '../../e2e/weir.ts';

/** More than are settled at once. */
const LINES = 620;
const model = 'cohere.embed-v4:0';
const caller = { access_key_id: 'AKIATOTALS', secret_access_key: 'totals/secret', session_token: 'totals-token' };

class Killed extends Error {}

describe('collecting answers without usage', () => {
  let folder: string;
  let server: SimulatedBedrock;
  beforeAll(async () => {
    folder = await temporaryFolder();
    server = await startBedrockServer({ caller, job_ms: 10 });
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function open(): Promise<Deps> {
    const bedrock = {
      kind: 'bedrock',
      region: 'us-east-1',
      ...caller,
      role_arn: 'arn:aws:iam::123456789012:role/weir-batch',
      bucket: server.s3.settings.bucket,
      models: [model],
      base_url: server.url,
      runtime_endpoint: server.url,
      s3_endpoint: server.s3.url,
      price: { input: '0.12', output: '0' },
    };
    const config = { providers: { bedrock }, settings: { poll_seconds_min: 0 } };
    const loaded = await loadConfig({
      environment: { WEIR_DATA_DIR: folder },
      kinds,
      readText: () => Promise.resolve(JSON.stringify(config)),
    });
    return nodeDeps(loaded, true);
  }

  async function begin(deps: Deps): Promise<string> {
    const context: Context = {
      actor: { tenantId: 'default', keyId: null, role: 'admin' },
      newId: (prefix) => formatId(prefix, deps.random.bytes(ID_BYTES)),
      signal: new AbortController().signal,
    };
    const file = await createFile(deps, context, {
      content: (async function* () {
        for (let index = 0; index < LINES; index++) {
          const body = { model, input: `text ${index} ${'word '.repeat(index % 31)}` };
          const line = { custom_id: `e-${index}`, method: 'POST', url: '/v1/embeddings', body };
          yield Buffer.from(`${JSON.stringify(line)}\n`);
        }
      })(),
      purpose: 'batch',
      details: () => Promise.resolve({ filename: 'a.jsonl', purpose: 'batch', expiresAfterSeconds: null }),
    });
    const request = { input_file_id: file.id, endpoint: '/v1/embeddings', completion_window: '24h' } as const;
    return (await createBatch(deps, context, request)).id;
  }

  /** Works until the batch is done, or the process is dead. */
  async function work(deps: Deps, id: string, isDead: () => boolean): Promise<void> {
    const runner = new ShardRunner(deps);
    await deps.store.shards.recover({ others: runner.token });
    const until = Date.now() + 20_000;
    while (!isDead() && Date.now() < until) {
      await tick(deps).catch(() => undefined);
      await runner.wake().catch(() => undefined);
      await runner.idle();
      if (isDead()) return;
      if ((await deps.store.batches.get('all', id))?.status === 'completed') return;
    }
  }

  it('gives every line the share it had before the process died, so that the sum is the job’s', async () => {
    const first = await open();
    const id = await begin(first);
    let commits = 0;
    const shards = new Proxy(first.store.shards, {
      get: (store, name) => {
        const member: unknown = Reflect.get(store, name);
        if (typeof member !== 'function') return member;
        const method = (member as (...args: unknown[]) => Promise<unknown>).bind(store);
        return async (...args: unknown[]) => {
          if (commits > 0) throw new Killed();
          const answer = await method(...args);
          if (name === ('commit' satisfies keyof StoreShards)) commits += 1;
          return answer;
        };
      },
    });
    await work({ ...first, store: { ...first.store, shards } }, id, () => commits > 0);
    const before = await entriesOf(first, id);
    expect(before).toHaveLength(500);
    await first.store.close();
    await first.http.close();

    const second = await open();
    try {
      const later = { ...second, clock: { ...second.clock, now: () => second.clock.now() + 60_000 } };
      await work(later, id, () => false);
      const entries = await entriesOf(second, id);
      expect(await second.store.batches.get('all', id)).toMatchObject({ status: 'completed', completed: LINES });
      expect(server.jobs()).toHaveLength(1);
      expect(new Set(entries.map(({ line }) => line)).size).toBe(LINES);
      expect(entries).toHaveLength(LINES);
      expect(entries.every(({ estimated, amountNano }) => estimated && amountNano !== null)).toBe(true);
      const tokens = entries.reduce((sum, { inputTokens }) => sum + inputTokens, 0);
      expect(tokens).toBe(server.jobs()[0]?.totals?.inputTokens);
    } finally {
      await second.store.close();
      await second.http.close();
    }
  }, 60_000);

  async function entriesOf(deps: Deps, id: string) {
    return (await deps.store.ledger.entries({ tenantId: null, batchId: id }, { limit: 1000 })) ?? [];
  }
});
