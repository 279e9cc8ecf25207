/** Four services in trouble at once, over real HTTP: the clock is moved on in place of the wait. */
import { rm } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { chatModels, type NativeServices, startNativeServices } from '../../e2e/native-services.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const names = ['openai', 'bedrock', 'vertex', 'anthropic'] as const;
/** Of each: the least that Bedrock takes. */
const LINES = 100;

let services: NativeServices;
let folder: string;
let rig: Rig;

afterEach(async () => {
  await rig?.close();
  await services?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Every call of every service goes wrong several times, each in a way of its own. */
function trouble({ servers }: NativeServices): void {
  servers.openai.configure({
    ranges: false,
    faults: [
      { on: 'upload', fault: 500 },
      { on: 'create', fault: 'rate_limit' },
      { on: 'create', fault: 'lose_answer' },
      { on: 'poll', fault: 500, times: 2 },
      { on: 'poll', fault: 'html' },
      { on: 'content', fault: 'cut', times: 2 },
      { on: 'content', fault: 'shorten' },
    ],
  });
  servers.bedrock.configure({
    faults: [
      { on: 'create', fault: { name: 'ThrottlingException', status: 429 } },
      { on: 'create', fault: { name: 'ServiceQuotaExceededException', status: 400 } },
      { on: 'create', fault: 'lose_answer' },
      { on: 'get', fault: { name: 'InternalServerException', status: 500 }, times: 2 },
      { on: 'get', fault: 'html' },
    ],
  });
  const fail = { operation: 'PutObject', status: 503, code: 'SlowDown', times: 2 };
  servers.bedrock.s3.configure({ fail, cut_after_bytes: 5_000, cut_times: 3 });
  const jobs = 'POST .*/batchPredictionJobs$';
  const poll = 'GET /v1/.*/batchPredictionJobs/\\d+$';
  servers.vertex.configure({
    faults: [
      { on: 'PUT /upload', fault: 'half', times: 2 },
      { on: jobs, fault: 429, word: 'RESOURCE_EXHAUSTED', message: 'Quota exceeded.' },
      { on: jobs, fault: 'lost' },
      { on: poll, fault: 429, retry_after: '1', times: 2 },
      { on: poll, fault: 'html' },
      { on: 'alt=media', fault: 'half', times: 3 },
    ],
  });
  const cut = { cut_results: 'unannounced', late_results: 2 } as const;
  servers.anthropic.configure({ fail_on: 'create', fail_with: 'lost_answer', fail_count: 1, ...cut });
}

it('four services that break off uploads, refuse or swallow creates, fail polls and cut downloads: each line is bought once', async () => {
  folder = await temporaryFolder();
  services = await startNativeServices({ jobMs: 50 });
  trouble(services);
  const targets = names.map((provider) => ({ provider, model: chatModels[provider], mode: 'batch', weight: 1 }));
  const routes = { all: { strategy: { mode: 'loadbalance' }, targets } };
  rig = await openRig(folder, { providers: services.providers, routes, settings: { poll_seconds_min: 1 } });
  const total = LINES * names.length;
  const id = await beginBatch(rig.deps, chatLines(total), { config: 'all' });
  const between = () => rig.advance(20);
  expect(await workUntil(rig.deps, () => isSettled(rig.deps, id), { between, rounds: 200 })).toBe(true);
  expect(await rig.deps.store.batches.get('all', id)).toMatchObject({ completed: total, failed: 0, entries: total });
  const entries = await entriesOf(rig.deps, id);
  expect(entries.every(({ amountNano, mode }) => Number(amountNano) > 0 && mode === 'batch')).toBe(true);
  const created = services.created();
  expect(names.map((name) => [name, created[name]])).toEqual(names.map((name) => [name, 1]));
  expect(Object.values(services.left()).every(({ live, files }) => live + files === 0)).toBe(true);
}, 120_000);
