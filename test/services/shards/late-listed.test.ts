/** Each service lists a provider batch so late that it was made again: what the first one did is entered, and removed. */
import { rm } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { ProviderError } from '../../../providers/contract.ts';
import { refusal } from '../../../src/core/failure.ts';
import { sweepProviders } from '../../../src/services/shards/orphans.ts';
import { presentShards } from '../../../src/services/shards/present.ts';
import {
  chatModels,
  type NativeServices,
  type ServiceName,
  serviceNames,
  startNativeServices,
} from '../../e2e/native-services.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

/** The least that Bedrock takes. */
const LINES = 100;
/** How many answers come before a download breaks off. */
const READABLE = 60;

let services: NativeServices;
let folder: string;
let rig: Rig;

afterEach(async () => {
  await rig?.close();
  await services?.stop();
  await rm(folder, { recursive: true, force: true });
});

const loseAnswer: Record<ServiceName, (of: NativeServices['servers']) => void> = {
  openai: ({ openai }) => openai.configure({ faults: [{ on: 'create', fault: 'lose_answer' }] }),
  azure: ({ azure }) => azure.configure({ faults: [{ on: 'create', fault: 'lose_answer' }] }),
  bedrock: ({ bedrock }) => bedrock.configure({ faults: [{ on: 'create', fault: 'lose_answer' }] }),
  vertex: ({ vertex }) => vertex.configure({ faults: [{ on: 'POST .*/batchPredictionJobs$', fault: 'lost' }] }),
  anthropic: ({ anthropic }) => anthropic.configure({ fail_on: 'create', fail_with: 'lost_answer', fail_count: 1 }),
};

/** Where the output lies with the input, and goes with it: what it cost nobody can say then. */
const inOneFolder: ReadonlySet<ServiceName> = new Set(['bedrock', 'vertex']);
/** Where the first one is when its input is removed. */
const moments = ['running', 'ended'] as const;

/** A batch of which `name` has made two, as it listed the first one too late; both have ended. */
async function begin(name: ServiceName, moment: (typeof moments)[number]): Promise<string> {
  folder = await temporaryFolder();
  services = await startNativeServices({ jobMs: 400 });
  const target = { provider: name, model: chatModels[name], mode: 'batch' };
  rig = await openRig(folder, {
    providers: { [name]: services.providers[name] },
    routes: { one: { strategy: { mode: 'single' }, targets: [target] } },
    settings: { poll_seconds_min: 1 },
  });
  loseAnswer[name](services.servers);
  services.hold(moment === 'running');
  const id = await beginBatch(rig.deps, chatLines(LINES), { config: 'one' });
  const api = rig.deps.providers.get(name)!.batch!;
  const find = api.find.bind(api);
  const findLate: typeof find = async (...asked) => {
    await new Promise((wake) => setTimeout(wake, 800));
    // The services go on when they are asked.
    await find(...asked).catch(() => null);
    return null;
  };
  Object.assign(api, { find: findLate });
  const between = () => rig.advance(60);
  expect(await workUntil(rig.deps, () => services.created()[name] === 2, { between })).toBe(true);
  Object.assign(api, { find });
  services.hold(false);
  expect(await workUntil(rig.deps, () => areSettled(id, 1), { between, rounds: 400 })).toBe(true);
  return id;
}

/** True when so many shards are seen, and are done with. */
async function areSettled(id: string, shards: number): Promise<boolean> {
  // Jobs take their time by the real clock.
  await new Promise((wake) => setTimeout(wake, 20));
  return (await presentShards(rig.deps, id, false)).length === shards && (await isSettled(rig.deps, id));
}

it.each(serviceNames.flatMap((name) => moments.map((moment) => [name, moment] as const)))(
  '%s, the first one %s when it is not listed',
  async (name, moment) => {
    const id = await begin(name, moment);
    const { deps, advance } = rig;
    const own = (await deps.store.batches.get('all', id))!;
    expect(own).toMatchObject({ status: 'completed', completed: LINES, entries: LINES, unpricedEntries: 0 });

    advance(3_600);
    await sweepProviders(deps, AbortSignal.timeout(10_000));
    // Looks come less and less often, as is usual.
    let step = 600;
    const between = () => {
      advance(step);
      step = Math.min(1_800, step * 1.3);
    };
    expect(await workUntil(deps, () => areSettled(id, 2), { between, rounds: 100 })).toBe(true);
    advance(3_600);
    await sweepProviders(deps, AbortSignal.timeout(10_000));
    expect([services.created()[name], services.left()[name]]).toEqual([2, { live: 0, files: 0 }]);
    const [, late] = await presentShards(deps, id, false);
    const waste = (await entriesOf(deps, id)).filter(({ shardId }) => shardId === late?.id);
    const lines = new Set(waste.map(({ line }) => line));
    expect([waste.length, lines.size]).toEqual([LINES, LINES]);
    const isGone = moment === 'ended' && inOneFolder.has(name);
    expect(new Set(waste.map(({ status }) => status))).toEqual(new Set([isGone ? 'unknown' : 'superseded']));
    const cost = waste.reduce((sum, { amountNano }) => sum + BigInt(amountNano ?? 0), 0n);
    expect(cost > 0n).toBe(!isGone);
    expect(await deps.store.batches.get('all', id)).toMatchObject({
      completed: LINES,
      amountNano: own.amountNano + cost,
      unpricedEntries: isGone ? LINES : 0,
    });
  },
  60_000,
);

it('answers of the first one that cannot be read are given up after a day of looks, of unknown cost, and not before', async () => {
  const id = await begin('openai', 'running');
  const { deps, advance } = rig;
  const api = deps.providers.get('openai')!.batch!;
  const results = api.results.bind(api);
  const cut: typeof results = async function* (...asked) {
    let shown = 0;
    for await (const answer of results(...asked)) if (shown++ < READABLE) yield answer;
    throw new ProviderError(refusal('connection', 'connection_error', 'The download broke off.'));
  };
  // biome-ignore lint/correctness/useYield: it has nothing to give.
  const refuse: typeof results = async function* () {
    throw new ProviderError(refusal('authentication', 'invalid_api_key', 'A wrong key.'));
  };
  Object.assign(api, { results: cut });
  const count = async (as: string) => (await entriesOf(deps, id)).filter(({ status }) => status === as).length;
  const isGivenUp = async () => (await count('unknown')) > 0;
  advance(3_600);
  await sweepProviders(deps, AbortSignal.timeout(10_000));
  /** Looks at it less and less often, as is usual, for about so many hours. */
  const watch = (hours: number) => {
    let step = 600;
    const rounds = Math.ceil(Math.log(1 + hours * 1.8) / Math.log(1.3));
    const between = () => {
      advance(step);
      step *= 1.3;
    };
    return workUntil(deps, isGivenUp, { between, rounds });
  };
  expect(await watch(16)).toBe(false);
  expect(await count('superseded')).toBe(READABLE);
  // What nobody looked at for days is a new case, and a key that is refused says nothing of the answers.
  advance(3 * 86_400);
  expect(await watch(16)).toBe(false);
  Object.assign(api, { results: refuse });
  expect(await watch(30)).toBe(false);
  Object.assign(api, { results: cut });
  expect(await watch(40)).toBe(true);
  expect([
    await count('superseded'),
    await count('unknown'),
    (await presentShards(deps, id, false)).map(({ state }) => state),
  ]).toEqual([READABLE, LINES - READABLE, ['done', 'done']]);
}, 60_000);
