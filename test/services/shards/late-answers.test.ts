/** Provider batches whose answers come when nobody asks for them any more, or not at all though they are paid for. */
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { chatModels, type NativeServices, type ServiceName, startNativeServices } from '../../e2e/native-services.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 20;

let folder: string;
let services: NativeServices;
let rig: Rig;

beforeEach(async () => {
  folder = await temporaryFolder();
  services = await startNativeServices({ jobMs: 0 });
});
afterEach(async () => {
  await rig.close();
  await services.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Runs a batch to its end, at this service first. Answers how many entries there are of each provider and status. */
async function run(first: ServiceName): Promise<Record<string, number>> {
  const target = (name: ServiceName) => ({ provider: name, model: chatModels[name], mode: 'batch' });
  const { [first]: own, openai } = services.providers;
  rig = await openRig(folder, {
    providers: { [first]: own, openai },
    routes: { both: { strategy: { mode: 'fallback' }, targets: [target(first), target('openai')] } },
    settings: { poll_seconds_min: 1 },
  });
  const id = await beginBatch(rig.deps, chatLines(LINES), { config: 'both' });
  const isDone = () => delay(5).then(() => isSettled(rig.deps, id));
  expect(await workUntil(rig.deps, isDone, { rounds: 100, between: () => rig.advance(400) })).toBe(true);
  expect(await rig.deps.store.batches.get('all', id)).toMatchObject({ completed: LINES, failed: 0 });
  const counts: Record<string, number> = {};
  for (const { provider, status, amountNano } of await entriesOf(rig.deps, id)) {
    const name = `${provider} ${status}${amountNano === null ? ', unpriced' : ''}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

it('what a provider batch answered is not free where its results have expired', async () => {
  services.servers.anthropic.configure({ archived: true });
  expect(await run('anthropic')).toEqual({ 'anthropic unknown, unpriced': LINES, 'openai succeeded': LINES });
});

it('files that a provider batch names after the last look at it are removed, too', async () => {
  services.servers.azure.configure({ late_output_polls: 4 });
  expect(await run('azure')).toEqual({ 'azure succeeded': LINES });
  expect(services.left().azure).toEqual({ live: 0, files: 0 });
});
