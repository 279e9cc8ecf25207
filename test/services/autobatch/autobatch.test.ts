import { expect, it } from 'vitest';
import { unixSeconds } from '../../../src/ports/clock.ts';
import { Autobatch } from '../../../src/services/autobatch/autobatch.ts';
import { Calls } from '../../../src/services/calls/calls.ts';
import { openHarness } from '../../http/harness.ts';

it('tells a client that waits here of an answer that another server has brought', async () => {
  const { deps, close } = await openHarness();
  const autobatch = new Autobatch(deps, new Calls(deps));
  try {
    const { parkedCalls } = deps.store;
    const createdAt = unixSeconds(deps.clock);
    await parkedCalls.insert({
      ...{ id: 'call_1', tenantId: 'tenant-a', keyId: null, dedupe: 'a', named: false, fingerprint: 'a' },
      ...{ endpoint: '/v1/chat/completions', config: null, window: 'immediate', metadata: null, body: '{}' },
      ...{ groupKey: 'kind', createdAt, groupId: null, batchId: null, status: null, answer: null, deliveredAt: null },
    });
    autobatch.start();
    const actor = { tenantId: 'tenant-a', keyId: null, role: 'user' } as const;
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
