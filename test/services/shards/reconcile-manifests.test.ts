/** Jobs of Bedrock beside the ledger: it tells a job's tokens in the manifest of its output alone. */
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type SimulatedBedrock, startBedrockServer } from '../../../providers/sandbox/servers/bedrock.ts';
import { unixSeconds } from '../../../src/ports/clock.ts';
import { reconcileBatches } from '../../../src/services/reconcile/provider-batches.ts';
import { bedrockEntry } from '../../e2e/bedrock-entry.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const model = 'us.amazon.nova-lite-v1:0';
const caller = { access_key_id: 'AKIAMANIFEST', secret_access_key: 'manifest/secret', session_token: 'manifest-token' };

let folder: string;
let server: SimulatedBedrock;
let rig: Rig;

beforeEach(async () => {
  folder = await temporaryFolder();
  server = await startBedrockServer({ caller, job_ms: 10 });
  const bedrock = bedrockEntry(server, caller, model);
  // A manifest is removed with the job's other files.
  const settings = { poll_seconds_min: 0, keep_provider_files: 1 };
  rig = await openRig(folder, { providers: { bedrock }, settings });
});
afterEach(async () => {
  await rig.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

it('a job’s manifest has the tokens that the ledger has, or says how many; without one nothing is told', async () => {
  const id = await beginBatch(
    rig.deps,
    chatLines(120, () => ({ model })),
  );
  expect(await workUntil(rig.deps, () => isSettled(rig.deps, id))).toBe(true);
  const entries = await entriesOf(rig.deps, id);
  expect(entries).toHaveLength(120);
  const sum = (pick: (entry: (typeof entries)[number]) => number) =>
    entries.reduce((total, entry) => total + pick(entry), 0);
  const input = sum(({ inputTokens }) => inputTokens);
  const output = sum(({ outputTokens }) => outputTokens);
  const reconcile = async () => {
    const to = unixSeconds(rig.deps.clock) + 1;
    const providers = [...rig.deps.providers.values()];
    const { data } = await reconcileBatches(
      rig.deps,
      { from: 0, to, after: null, providers },
      new AbortController().signal,
    );
    expect(data).toHaveLength(1);
    return data[0];
  };
  expect(await reconcile()).toMatchObject({
    state: 'equal',
    provider_status: 'Completed',
    ledger_entries: 120,
    ...{ ledger_input_tokens: input, billed_input_tokens: input },
    ...{ ledger_output_tokens: output, billed_output_tokens: output },
  });

  const { store } = server.s3;
  const key = [...store.objects.keys()].find((each) => each.endsWith('manifest.json.out')) ?? '';
  const manifest = JSON.parse(store.objects.get(key)?.body.toString() ?? '') as { inputTokenCount: number };
  const rewrite = (text: string) => store.put(key, Buffer.from(text), Date.now());
  rewrite(JSON.stringify({ ...manifest, inputTokenCount: manifest.inputTokenCount + 7 }));
  expect(await reconcile()).toMatchObject({
    state: 'differs',
    ...{ ledger_input_tokens: input, billed_input_tokens: input + 7, billed_output_tokens: output },
  });
  // Tokens read from a cache and written to it are told beside the input, and are input to the ledger.
  rewrite(
    JSON.stringify({
      ...manifest,
      inputTokenCount: input - 30,
      cacheReadInputTokenCount: 20,
      cacheWriteInputTokenCount: 10,
    }),
  );
  expect(await reconcile()).toMatchObject({ state: 'equal', billed_input_tokens: input });

  const untold = { state: 'not_told', billed_input_tokens: null, billed_output_tokens: null };
  for (const text of ['{"inputTokenCount":"many"}', '<html>', '']) {
    rewrite(text);
    expect([text, await reconcile()]).toEqual([text, expect.objectContaining(untold)]);
  }
  store.objects.delete(key);
  expect(await reconcile()).toMatchObject(untold);
});
