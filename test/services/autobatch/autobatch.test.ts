import { expect, it } from 'vitest';
import { unixSeconds } from '../../../src/ports/clock.ts';
import type { ParkedCallRow } from '../../../src/ports/store-parked-calls.ts';
import { Autobatch } from '../../../src/services/autobatch/autobatch.ts';
import { Calls } from '../../../src/services/calls/calls.ts';
import { openHarness } from '../../http/harness.ts';

const actor = { tenantId: 'tenant-a', keyId: null, role: 'user' } as const;

function parked(createdAt: number): ParkedCallRow {
  return {
    ...{ id: 'call_1', tenantId: 'tenant-a', keyId: null, dedupe: 'a', named: false, fingerprint: 'a' },
    ...{ endpoint: '/v1/chat/completions', config: null, window: 'immediate', metadata: null, body: '{}' },
    ...{ groupKey: 'kind', createdAt, groupId: null, batchId: null, status: null, answer: null, deliveredAt: null },
  };
}

it('tells a client that waits here of an answer that another server has brought', async () => {
  const { deps, close } = await openHarness();
  const autobatch = new Autobatch(deps, new Calls(deps));
  try {
    const { parkedCalls } = deps.store;
    await parkedCalls.insert(parked(unixSeconds(deps.clock)));
    autobatch.start();
    const waits = autobatch.retrieve(actor, 'call_1', 300_000, new AbortController().signal);
    let isAnswered = false;
    void waits.then(() => {
      isAnswered = true;
    });
    await deps.clock.sleep(500);
    expect(isAnswered).toBe(false);
    await parkedCalls.answer([{ id: 'call_1', status: 200, answer: '{"n":1}' }]);
    expect(await waits).toMatchObject({ status: 200, body: '{"n":1}' });
  } finally {
    await autobatch.stop();
    await close();
  }
});

it('gives an answer that was delivered again without a write: a database that takes none keeps nobody waiting', async () => {
  const { deps, close } = await openHarness();
  const autobatch = new Autobatch(deps, new Calls(deps));
  try {
    const { parkedCalls } = deps.store;
    await parkedCalls.insert(parked(unixSeconds(deps.clock)));
    await parkedCalls.answer([{ id: 'call_1', status: 200, answer: '{"n":1}' }]);
    const ask = () => autobatch.retrieve(actor, 'call_1', 0, new AbortController().signal);
    const first = await ask();
    expect(first).toMatchObject({ status: 200, body: '{"n":1}' });
    parkedCalls.deliver = () => Promise.reject(new Error('no writes'));
    expect(await ask()).toEqual(first);
  } finally {
    await autobatch.stop();
    await close();
  }
});
