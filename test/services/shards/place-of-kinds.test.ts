/** Of every kind of provider: the config names another place while a provider batch is out, and then the old one again. */
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { cancelBatch } from '../../../src/services/batches/cancel.ts';
import { providerFor } from '../../../src/services/shards/place.ts';
import { presentShards } from '../../../src/services/shards/present.ts';
import { chatModels, type NativeServices, type ServiceName, startNativeServices } from '../../e2e/native-services.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, contextOf, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

type Kind = Exclude<ServiceName, 'openai'> | 'openai-compatible';
type State = 'submitting' | 'running' | 'collecting';

/** Bedrock takes no fewer. */
const LINES = 100;
const STATES: readonly State[] = ['submitting', 'running', 'collecting'];
const KINDS: readonly Kind[] = ['azure', 'anthropic', 'bedrock', 'vertex', 'openai-compatible'];

let folders: string;
let folder: string;
/** Where the provider batch is made, and where the config points later. */
let old: NativeServices;
let other: NativeServices;
let rig: Rig;
let kind: Kind;
let batches = 0;
let madeBefore = 0;
let ahead = 0;

beforeAll(async () => {
  folders = await temporaryFolder();
  [old, other] = await Promise.all([startNativeServices({ jobMs: 0 }), startNativeServices({ jobMs: 0 })]);
});
afterEach(() => rig.close());
afterAll(async () => {
  await Promise.all([old.stop(), other.stop()]);
  await rm(folders, { recursive: true, force: true });
});

const service = (): ServiceName => (kind === 'openai-compatible' ? 'openai' : kind);
const made = () => old.created()[service()] + other.created()[service()] - madeBefore;
const shardOf = async (id: string) => (await presentShards(rig.deps, id, false))[0];
const settingsAt = (services: NativeServices): object => ({
  ...services.providers[service()],
  ...(kind === 'openai-compatible' && { kind, batch: true, price: { input: 1, output: 1 } }),
});

/** Work until `isDone`; jobs take their time by the real clock. */
function workOn(isDone: () => Promise<boolean>, { step, rounds }: { step: number; rounds: number }): Promise<boolean> {
  const looked = () => delay(5).then(isDone);
  const between = () => {
    ahead += step;
    rig.advance(step);
  };
  return workUntil(rig.deps, looked, { between, rounds });
}

const passAnHour = (isDone = () => Promise.resolve(false)) => workOn(isDone, { step: 300, rounds: 12 });

async function open(settings: object): Promise<void> {
  rig = await openRig(folder, {
    providers: { main: settings },
    routes: { native: { provider: 'main', model: chatModels[service()], mode: 'batch' } },
    settings: { poll_seconds_min: 1 },
  });
  rig.advance(ahead);
}

async function reopen(settings: object): Promise<void> {
  await rig.leave();
  await open(settings);
}

/** Keeps the old place from more than the state asks for; null: lets it go on. */
function keep(state: State | null): void {
  const { openai, azure, bedrock, vertex, anthropic } = old.servers;
  const [isCreated, isUnread] = [state === 'submitting', state === 'collecting'];
  old.hold(state === 'running');
  for (const server of [openai, azure]) {
    const create = isCreated ? [{ on: 'create', fault: 'lose_answer' } as const] : [];
    server.configure({ faults: isUnread ? [{ on: 'content', fault: 500, times: null }] : create });
  }
  bedrock.configure({ faults: isCreated ? [{ on: 'create', fault: 'lose_answer' }] : [] });
  const unread = { operation: 'GetObject', status: 500, code: 'InternalError', times: null };
  bedrock.s3.configure({ fail: isUnread ? unread : null });
  const create = isCreated ? [{ on: '^POST .*batchPredictionJobs', fault: 'lost' } as const] : [];
  vertex.configure({ faults: isUnread ? [{ on: 'alt=media', fault: 500, times: 10_000 }] : create });
  anthropic.configure({
    fail_on: isCreated ? 'create' : 'results',
    fail_with: isCreated ? 'lost_answer' : isUnread ? 500 : null,
    fail_count: isCreated ? 1 : null,
  });
}

/** A batch at the old place whose provider batch is in `state`. */
async function begin(at: Kind, state: State, settings: object = {}): Promise<string> {
  kind = at;
  batches += 1;
  folder = `${folders}/${batches}`;
  ahead = 0;
  madeBefore = old.created()[kind === 'openai-compatible' ? 'openai' : kind];
  madeBefore += other.created()[service()];
  keep(state);
  await open({ ...settingsAt(old), ...settings });
  const id = await beginBatch(rig.deps, chatLines(LINES), { config: 'native' });
  const hasCome = async () => (await shardOf(id))?.state === state;
  expect(await workOn(hasCome, { step: 5, rounds: 60 })).toBe(true);
  return id;
}

async function endsWell(id: string): Promise<void> {
  keep(null);
  expect(await workOn(() => isSettled(rig.deps, id), { step: 120, rounds: 150 })).toBe(true);
  const row = await rig.deps.store.batches.get('all', id);
  expect(row).toMatchObject({ completed: LINES, entries: LINES, unpricedEntries: 0 });
  expect(made()).toBe(1);
  expect([old.left()[service()], other.left()[service()]]).toEqual([
    { live: 0, files: 0 },
    { live: 0, files: 0 },
  ]);
}

it.each(KINDS.flatMap((each) => STATES.map((state) => [each, state] as const)))(
  'of a batch at %s that is %s nothing is bought again at another place, and it goes on at the old one',
  async (at, state) => {
    const id = await begin(at, state);
    await reopen(settingsAt(other));
    await passAnHour();
    expect(made()).toBe(1);
    expect((await shardOf(id))?.alert?.message).toContain('another address, region or account');
    await reopen(settingsAt(old));
    await endsWell(id);
  },
);

it.each([
  ['bedrock', 'region', () => ({ region: 'eu-west-1' })],
  ['bedrock', 's3_endpoint', () => ({ s3_endpoint: other.servers.bedrock.s3.url })],
  ['vertex', 'storage_endpoint', () => ({ storage_endpoint: other.servers.vertex.url })],
] as const)('of a batch at %s that is elsewhere by its %s, too', async (at, _setting, change) => {
  const id = await begin(at, 'running');
  await reopen({ ...settingsAt(old), ...change() });
  keep(null);
  await passAnHour();
  expect((await shardOf(id))?.alert?.message).toContain('another address, region or account');
  await reopen(settingsAt(old));
  await endsWell(id);
});

it('what an empty bucket elsewhere shows of an abandoned batch is not what it cost', async () => {
  const id = await begin('bedrock', 'running');
  await cancelBatch(rig.deps, contextOf(rig.deps), id);
  old.servers.bedrock.configure({ faults: [{ on: 'stop', fault: 'reset', times: null }] });
  const isLeft = async () => (await shardOf(id))?.state === 'abandoned';
  expect(await workOn(isLeft, { step: 120, rounds: 60 })).toBe(true);
  await reopen({ ...settingsAt(old), s3_endpoint: other.servers.bedrock.s3.url });
  keep(null);
  await passAnHour();
  await reopen(settingsAt(old));
  const isDone = async () => (await rig.deps.store.shards.list(id)).every(({ cleanedAt }) => cleanedAt !== null);
  expect(await workOn(isDone, { step: 120, rounds: 150 })).toBe(true);
  const entries = await entriesOf(rig.deps, id);
  expect([entries.length, entries.filter(({ amountNano }) => amountNano === null).length]).toEqual([LINES, 0]);
});

it.each([
  ['azure', 'version of the API', () => ({ api_version: '2024-10-21' })],
  ['azure', 'slash', () => ({ endpoint: `${old.servers.azure.url}/` })],
  ['bedrock', 'slash', () => ({ base_url: `${old.servers.bedrock.url}/` })],
] as const)('another %s %s is no other place', async (at, _what, change) => {
  const id = await begin(at, 'running');
  const [before] = [...rig.deps.providers.values()];
  await reopen({ ...settingsAt(old), ...change() });
  const [after] = [...rig.deps.providers.values()];
  expect(after?.batch?.place.name).toBe(before?.batch?.place.name);
  await endsWell(id);
});

it('a role of another account is another place, and one of the same account is none', async () => {
  kind = 'bedrock';
  folder = `${folders}/roles`;
  const nameAt = async (role: string) => {
    await open({ ...settingsAt(old), role_arn: role });
    const name = rig.deps.providers.get('main')?.batch?.place.name;
    await rig.close();
    return name;
  };
  const first = await nameAt('arn:aws:iam::123456789012:role/weir-batch');
  expect(await nameAt('arn:aws:iam::123456789012:role/another')).toBe(first);
  expect(await nameAt('arn:aws:iam::999999999999:role/weir-batch')).not.toBe(first);
  await open(settingsAt(old));
});

it('prices are those of where the batch was made, where it is found from another location', async () => {
  const id = await begin('vertex', 'running', { location: 'us-east5' });
  await reopen({ ...settingsAt(old), location: 'europe-west4' });
  const [shard] = await rig.deps.store.shards.list(id);
  expect(shard && providerFor(rig.deps, shard)?.priceRegion).toBe('us-east5');
  await endsWell(id);
});
