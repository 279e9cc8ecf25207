/** A submit that ends between the lines that are refused and its call, and begins again with another config. */
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { NativeRequest } from '../../../providers/contract.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { refusal } from '../../../src/core/failure.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import type { ShardChange } from '../../../src/ports/store-shards.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 12;

let folder: string;
let remote: SimulatedBatchServer;
let rig: Rig;

beforeEach(async () => {
  folder = await temporaryFolder();
  remote = await startOpenAIBatchServer({ job_ms: 0 });
  rig = await openRig(folder, {
    providers: { openai: { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] } },
    routes: { native: { provider: 'openai', model: 'gpt-4o-mini', mode: 'batch' } },
    settings: { poll_seconds_min: 1 },
  });
});
afterEach(async () => {
  await rig.close();
  await remote.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The same, whose batch service refuses the requests with one of these words. */
function refusing(words: readonly string[]): Deps {
  const provider = rig.deps.providers.get('openai');
  if (!provider?.batch) throw new Error('the provider has no batch service');
  const failure = refusal('invalid_request', 'invalid_value', 'Not like this.');
  const refuses = ({ body }: NativeRequest) => (words.some((word) => body.includes(word)) ? failure : null);
  const changed = { ...provider, convert: provider.convert.bind(provider), batch: { ...provider.batch, refuses } };
  return { ...rig.deps, providers: new Map([['openai', changed]]) };
}

it('keeps what was refused at first, beside what is refused then', async () => {
  const { deps } = rig;
  const id = await beginBatch(deps, chatLines(LINES), { config: 'native' });
  const first = refusing(['Question 3:']);
  let isBroken = false;
  const shards = new Proxy(first.store.shards, {
    get: (store, name) => {
      const method = (Reflect.get(store, name) as (...args: unknown[]) => Promise<unknown>).bind(store);
      if (name !== 'save') return method;
      return (...args: unknown[]) => {
        if ((args[2] as ShardChange).state !== 'submitting') return method(...args);
        isBroken = true;
        return Promise.reject(new Error('the database is away'));
      };
    },
  });
  const broken = { ...first, store: { ...first.store, shards } };
  expect(await workUntil(broken, () => isBroken, { between: () => rig.advance(5) })).toBe(true);
  rig.advance(60);
  const second = refusing(['Question 7:', 'Question 8:']);
  expect(await workUntil(second, () => isSettled(deps, id), { between: () => rig.advance(30) })).toBe(true);
  const batch = await deps.store.batches.get('all', id);
  expect(batch).toMatchObject({ completed: LINES - 3, failed: 3 });
  const errors = Buffer.from(
    await deps.files.readRange(`files/${batch?.errorFileId}`, { offset: 0, length: 1_000_000 }),
  ).toString();
  const told = errors
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { custom_id: string; error: object });
  expect(told.map(({ custom_id: customId }) => customId)).toEqual(['request-3', 'request-7', 'request-8']);
  expect(told.map(({ error }) => JSON.stringify(error))).toEqual(
    Array.from({ length: 3 }, () => expect.stringContaining('Not like this.')),
  );
});
