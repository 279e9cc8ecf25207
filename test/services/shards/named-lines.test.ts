/** Provider batches whose validation names the lines at fault: those fail alone, and no others, whatever else happens. */
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BatchCall, Progress, ProviderBatch, ShardInput } from '../../../providers/contract.ts';
import { startBedrockServer } from '../../../providers/sandbox/servers/bedrock.ts';
import { startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { refusal } from '../../../src/core/failure.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { ShardRunner } from '../../../src/services/shards/run.ts';
import { bedrockEntry } from '../../e2e/bedrock-entry.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 12;
const WORD = 'poison';

let folder: string;
const open: { close(): Promise<unknown> }[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
  await rm(folder, { recursive: true, force: true });
});

/** The same provider, whose service names each line of a file that holds the word, and runs nothing of it. */
function naming(deps: Deps, name: string): Deps {
  const provider = deps.providers.get(name);
  if (!provider?.batch) throw new Error('the provider has no batch service');
  const { batch } = provider;
  const named = new Map<string, number[]>();
  const submit = async (input: ShardInput, call: BatchCall) => {
    let text = '';
    for await (const chunk of input.open()) text += Buffer.from(chunk).toString();
    const made = await batch.submit(input, call);
    const bad = text.split('\n').flatMap((line, index) => (line.includes(WORD) ? [index + 1] : []));
    if (bad.length > 0) named.set(made.id, bad);
    return made;
  };
  const poll = async (made: ProviderBatch, call: BatchCall): Promise<Progress> => {
    const progress = await batch.poll(made, call);
    const failure = { ...refusal('invalid_request', 'invalid_line', 'The line is not valid.'), reachedProvider: true };
    const lines = named.get(made.id)?.map((line) => ({ line, failure }));
    if (lines === undefined) return progress;
    return { ...progress, state: 'failed', reason: 'failed', raw: 'failed', counts: null, failure, lines };
  };
  const wrapped = { ...provider, convert: provider.convert.bind(provider), batch: { ...batch, submit, poll } };
  return { ...deps, providers: new Map([[name, wrapped]]) };
}

/** The custom ids of the lines that failed, by their code. */
async function failedIds(deps: Deps, id: string): Promise<Record<string, string[]>> {
  const batch = await deps.store.batches.get('all', id);
  expect(batch?.total).toBe(LINES);
  const text = Buffer.from(
    await deps.files.readRange(`files/${batch?.errorFileId}`, { offset: 0, length: 10_000_000 }),
  ).toString();
  const codes: Record<string, string[]> = {};
  for (const line of text.trim().split('\n')) {
    const { custom_id: customId, error } = JSON.parse(line) as { custom_id: string; error: { code: string } };
    codes[error.code] = [...(codes[error.code] ?? []), customId];
  }
  return codes;
}

async function work(deps: Deps, rig: Rig, id: string, isDead: () => boolean = () => false): Promise<boolean> {
  const runner = new ShardRunner(deps);
  await deps.store.shards.recover({ others: runner.token });
  const isDone = async () => isDead() || (await isSettled(deps, id));
  return workUntil(deps, isDone, { runner, between: () => rig.advance(30), rounds: 100 });
}

it('the process dies between their failure and what follows for the others', async () => {
  const remote = await startOpenAIBatchServer({ job_ms: 0 });
  open.push({ close: () => remote.stop() });
  const config = {
    providers: { openai: { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] } },
    settings: { poll_seconds_min: 1 },
  };
  const first = await openRig(folder, config);
  const lines = chatLines(LINES, (index) =>
    index === 2 || index === 7 ? { messages: [{ role: 'user', content: `${WORD} ${index}` }] } : {},
  );
  const id = await beginBatch(first.deps, lines);
  let isDead = false;
  const shards = new Proxy(first.deps.store.shards, {
    get: (store, name) => {
      const method = (Reflect.get(store, name) as (...args: unknown[]) => Promise<unknown>).bind(store);
      return async (...args: unknown[]) => {
        if (isDead) throw new Error('killed');
        const answer = await method(...args);
        isDead ||= name === 'commit';
        return answer;
      };
    },
  });
  const named = naming(first.deps, 'openai');
  await work({ ...named, store: { ...named.store, shards } }, first, id, () => isDead);
  expect(isDead).toBe(true);
  await first.leave();

  const second = await openRig(folder, config);
  open.push(second);
  second.advance(120);
  // The service says the same to whoever asks.
  const { poll } = named.providers.get('openai')!.batch!;
  const again = naming(second.deps, 'openai');
  const provider = again.providers.get('openai')!;
  const both = async (made: ProviderBatch, call: BatchCall) => {
    const told = await poll(made, call);
    return told.lines.length > 0 ? told : provider.batch!.poll(made, call);
  };
  const deps = {
    ...again,
    providers: new Map([
      ['openai', { ...provider, convert: provider.convert.bind(provider), batch: { ...provider.batch!, poll: both } }],
    ]),
  };
  expect(await work(deps, second, id)).toBe(true);
  expect(await failedIds(deps, id)).toEqual({ invalid_line: ['request-2', 'request-7'] });
});

it('requests that are several records of the file each', async () => {
  const model = 'amazon.titan-embed-text-v2:0';
  const caller = { access_key_id: 'AKIANAMED', secret_access_key: 'named/secret', session_token: 'named-token' };
  const server = await startBedrockServer({ caller, job_ms: 0, records_min: 1 });
  open.push({ close: () => server.stop() });
  const rig = await openRig(folder, {
    providers: { bedrock: bedrockEntry(server, caller, model, { batch_limits: { lines_min: 1 } }) },
    settings: { poll_seconds_min: 1 },
  });
  open.push(rig);
  const deps = naming(rig.deps, 'bedrock');
  const lines = Array.from({ length: LINES }, (_, index) => {
    const input = [`text ${index}`, `${index === 1 ? WORD : 'more'} ${index}`, `end ${index}`];
    const body = { model, input };
    return `${JSON.stringify({ custom_id: `e-${index}`, method: 'POST', url: '/v1/embeddings', body })}\n`;
  });
  const id = await beginBatch(deps, lines.join(''), { endpoint: '/v1/embeddings' });
  expect(await work(deps, rig, id)).toBe(true);
  expect(await failedIds(deps, id)).toEqual({ invalid_line: ['e-1'] });
});
