/** Kills the process in the middle of collecting answers whose usage is estimated from a job's totals. */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SimulatedBedrock, startBedrockServer } from '../../../providers/sandbox/servers/bedrock.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import type { StoreShards } from '../../../src/ports/store-shards.ts';
import { ShardRunner } from '../../../src/services/shards/run.ts';
import { bedrockEntry } from '../../e2e/bedrock-entry.ts';
import { temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, openRig, type Rig, workUntil } from './rig.ts';

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

  function open(): Promise<Rig> {
    const bedrock = bedrockEntry(server, caller, model, { price: { input: '0.12', output: '0' } });
    return openRig(folder, { providers: { bedrock }, settings: { poll_seconds_min: 0 } });
  }

  function begin(deps: Deps): Promise<string> {
    const lines = Array.from({ length: LINES }, (_, index) => {
      const body = { model, input: `text ${index} ${'word '.repeat(index % 31)}` };
      return `${JSON.stringify({ custom_id: `e-${index}`, method: 'POST', url: '/v1/embeddings', body })}\n`;
    });
    return beginBatch(deps, lines.join(''), { endpoint: '/v1/embeddings' });
  }

  /** Works until the batch is done, or the process is dead. */
  async function work(deps: Deps, id: string, isDead: () => boolean): Promise<void> {
    const runner = new ShardRunner(deps);
    await deps.store.shards.recover({ others: runner.token });
    const until = Date.now() + 20_000;
    const isOver = async () => (await deps.store.batches.get('all', id))?.status === 'completed';
    const isDone = async () => isDead() || Date.now() > until || (await isOver());
    await workUntil(deps, isDone, { runner, rounds: 100_000 });
  }

  it('gives every line the share it had before the process died, so that the sum is the job’s', async () => {
    const rig = await open();
    const first = rig.deps;
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
    await rig.leave();

    const second = await open();
    try {
      second.advance(60);
      await work(second.deps, id, () => false);
      const entries = await entriesOf(second.deps, id);
      expect(await second.deps.store.batches.get('all', id)).toMatchObject({ status: 'completed', completed: LINES });
      expect(server.jobs()).toHaveLength(1);
      expect(new Set(entries.map(({ line }) => line)).size).toBe(LINES);
      expect(entries).toHaveLength(LINES);
      expect(entries.every(({ estimated, amountNano }) => estimated && amountNano !== null)).toBe(true);
      const tokens = entries.reduce((sum, { inputTokens }) => sum + inputTokens, 0);
      expect(tokens).toBe(server.jobs()[0]?.totals?.inputTokens);
    } finally {
      await second.close();
    }
  }, 60_000);
});
