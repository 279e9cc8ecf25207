import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Failure } from '../../../src/core/failure.ts';
import type { Gate, Slot } from '../../../src/ports/gates.ts';
import { openGates } from '../../../src/services/gates/open-gates.ts';
import { servedProviders } from '../../../src/services/gates/served.ts';
import { entryRow } from '../../contract/store/subject.ts';
import { temporaryFolder } from '../../e2e/weir.ts';
import { openRig, type Rig } from '../shards/rig.ts';

const DAY = 86_400;
const REFUSED: Failure = {
  kind: 'authentication',
  status: 401,
  code: 'invalid_api_key',
  message: 'Incorrect API key provided.',
  param: null,
  type: 'invalid_request_error',
  retryAfterMs: null,
  reachedProvider: true,
};

let folder: string;
let rig: Rig;

beforeEach(async () => {
  folder = await temporaryFolder();
  const provider = { kind: 'openai-compatible', base_url: 'http://127.0.0.1:1', api_key: 'a-key', models: ['m'] };
  rig = await openRig(folder, {
    providers: { fresh: provider, known: provider, refused: provider, long_ago: provider },
  });
});

afterEach(async () => {
  await rig.close();
  await rm(folder, { recursive: true, force: true });
});

async function enter(provider: string, status: 'succeeded' | 'failed', daysAgo: number): Promise<void> {
  const createdAt = Math.floor(rig.deps.clock.now() / 1000) - daysAgo * DAY;
  await rig.deps.store.ledger.append([entryRow({ batchId: null, line: null, provider, status, createdAt })]);
}

it('a key that worked before this start is held for as long as one that worked since, another for a minute', async () => {
  await enter('known', 'succeeded', 29);
  await enter('refused', 'failed', 1);
  await enter('long_ago', 'succeeded', 32);
  const served = await servedProviders(rig.deps);
  expect([...served]).toEqual(['known']);

  const gates = openGates(rig.deps, served);
  const stateOf = (gate: Gate) => gate.figures().held.map(({ state }) => state);
  const states = () => [...gates].map(([name, gate]) => `${name} ${stateOf(gate)}`);
  for (const { holds } of gates.values()) {
    for (let line = 0; line < 5; line++) {
      const slot = { startedMs: rig.deps.clock.micros() / 1000 } as Slot;
      holds.settle('m', slot, REFUSED);
    }
  }
  expect(states()).toEqual(['fresh held', 'known held', 'refused held', 'long_ago held']);
  rig.advance(61);
  expect(states()).toEqual(['fresh given_up', 'known held', 'refused given_up', 'long_ago given_up']);
  rig.advance(rig.deps.settings.outageSeconds);
  expect(states()[1]).toBe('known given_up');
  for (const gate of gates.values()) gate.close();
});
