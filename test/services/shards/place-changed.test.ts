/** The config names another bucket and prefix while a provider batch is out: its answers are where it was made. */
import { rm } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { chatModels, type NativeServices, startNativeServices } from '../../e2e/native-services.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const LINES = 100;

let services: NativeServices;
let folder: string;
let rig: Rig;

afterEach(async () => {
  await rig.close();
  await services.stop();
  await rm(folder, { recursive: true, force: true });
});

function open(name: 'bedrock' | 'vertex', place: object): Promise<Rig> {
  return openRig(folder, {
    providers: { [name]: { ...services.providers[name], ...place } },
    routes: { one: { provider: name, model: chatModels[name], mode: 'batch' } },
    settings: { poll_seconds_min: 1 },
  });
}

it.each(['bedrock', 'vertex'] as const)('of %s', async (name) => {
  folder = await temporaryFolder();
  services = await startNativeServices({ jobMs: 30 });
  services.hold(true);
  rig = await open(name, {});
  const id = await beginBatch(rig.deps, chatLines(LINES), { config: 'one' });
  const isOut = async () => (await rig.deps.store.shards.list(id))[0]?.state === 'running';
  expect(await workUntil(rig.deps, isOut, { between: () => rig.advance(15) })).toBe(true);
  await rig.close();

  rig = await open(name, { bucket: 'another-bucket', prefix: name === 'bedrock' ? 'elsewhere/' : 'elsewhere' });
  services.hold(false);
  const isDone = async () => {
    // Jobs take their time by the real clock.
    await new Promise((wake) => setTimeout(wake, 20));
    return isSettled(rig.deps, id);
  };
  expect(await workUntil(rig.deps, isDone, { between: () => rig.advance(60), rounds: 150 })).toBe(true);
  expect(await rig.deps.store.batches.get('all', id)).toMatchObject({
    completed: LINES,
    entries: LINES,
    unpricedEntries: 0,
  });
  expect([services.created()[name], services.left()[name]]).toEqual([1, { live: 0, files: 0 }]);
});
