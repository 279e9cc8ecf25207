/** Provider batches beside the ledger, on services that hold what no row knows, and rows that no service knows. */
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { unixSeconds } from '../../../src/ports/clock.ts';
import { reconcileBatches } from '../../../src/services/reconcile/provider-batches.ts';
import { plainCall } from '../../../src/services/shards/shard-work.ts';
import { entryRow } from '../../contract/store/subject.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const signal = new AbortController().signal;

describe('provider batches beside the ledger', () => {
  let folder: string;
  let server: SimulatedBatchServer;
  let rig: Rig;

  beforeEach(async () => {
    folder = await temporaryFolder();
    server = await startOpenAIBatchServer({ job_ms: 10 });
    const openai = { kind: 'openai', base_url: server.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] };
    rig = await openRig(folder, { providers: { openai }, settings: { poll_seconds_min: 0 } });
  });
  afterEach(async () => {
    await rig.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function reconcile() {
    const to = unixSeconds(rig.deps.clock) + 1;
    const providers = [...rig.deps.providers.values()];
    return reconcileBatches(rig.deps, { from: 0, to, after: null, providers }, signal);
  }

  async function settled(): Promise<string> {
    const id = await beginBatch(rig.deps, chatLines(30));
    expect(await workUntil(rig.deps, () => isSettled(rig.deps, id))).toBe(true);
    return id;
  }

  it('have the tokens that the ledger has, token by token, or say by how much not', async () => {
    const id = await settled();
    const entries = await entriesOf(rig.deps, id);
    const sum = entries.reduce((total, { inputTokens }) => total + inputTokens, 0);
    const [row] = (await reconcile()).data;
    expect(row).toMatchObject({
      batch_id: id,
      state: 'equal',
      provider_status: 'completed',
      ledger_entries: 30,
      ledger_input_tokens: sum,
      billed_input_tokens: sum,
    });
    expect(row?.ledger_nano_usd).toBe(entries.reduce((total, { amountNano }) => total + BigInt(amountNano ?? 0), 0n));
    await rig.deps.store.ledger.append([entryRow({ batchId: id, line: 31, shardId: row?.shard_id ?? '' })]);
    expect((await reconcile()).data).toMatchObject([{ state: 'differs', ledger_input_tokens: sum + 10 }]);
  });

  it('list what a service holds that no row knows', async () => {
    await settled();
    const { deps } = rig;
    const token = `weir-${await deps.store.shards.installation()}-lost-1`;
    const bytes = Buffer.from(chatLines(1));
    const input = { token, endpoint: '/v1/chat/completions' as const, model: 'gpt-4o-mini', lines: 1, options: {} };
    const open = async function* () {
      yield bytes;
    };
    const api = deps.providers.get('openai')?.batch;
    await api?.submit({ ...input, bytes: bytes.length, open }, plainCall(deps, signal));
    expect((await reconcile()).orphans).toEqual([]);
    rig.advance(1_000);
    const { data, orphans, unreachable } = await reconcile();
    expect(data.map(({ state }) => state)).toEqual(['equal']);
    expect(new Set(orphans.map(({ kind }) => kind))).toEqual(new Set(['batch', 'file']));
    expect(orphans.every((each) => each.provider === 'openai' && each.token === token)).toBe(true);
    expect(unreachable).toEqual([]);
  });

  it('list what a row knows and the service does not', async () => {
    const { deps } = rig;
    server.configure({ stop_at: 0 });
    const id = await beginBatch(deps, chatLines(30));
    const isRunning = async () => (await deps.store.shards.list(id))[0]?.state === 'running';
    expect(await workUntil(deps, isRunning)).toBe(true);
    expect((await reconcile()).data.map(({ state }) => state)).toEqual(['running']);
    const { port } = server;
    await server.stop();
    server = await startOpenAIBatchServer({ port });
    rig.advance(1_000);
    // A connection that was kept from before breaks first.
    await vi.waitFor(async () => {
      expect((await reconcile()).data.map(({ state }) => state)).toEqual(['unknown_at_provider']);
    });
  });

  it('say which service gave no answer', async () => {
    await settled();
    await server.stop();
    const { data, unreachable } = await reconcile();
    expect(data).toMatchObject([{ state: 'unreachable', billed_input_tokens: null }]);
    expect(unreachable).toMatchObject([{ provider: 'openai' }]);
    server = await startOpenAIBatchServer();
  });
});
