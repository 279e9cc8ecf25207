import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BatchRow } from '../../src/ports/store-batches.ts';
import { ledgerEntryPageSchema } from '../../src/protocol/ledger.ts';
import { type Harness, openHarness } from './harness.ts';
import { entry, startOfDay } from './ledger-rows.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

function batch(id: string, tenantId: string): BatchRow {
  const none = { inProgressAt: null, finalizingAt: null, completedAt: null, failedAt: null, expiredAt: null };
  return {
    ...none,
    id,
    tenantId,
    keyId: null,
    endpoint: '/v1/chat/completions',
    completionWindow: 'immediate',
    inputFileId: 'file-1',
    metadata: null,
    configName: null,
    route: null,
    outputExpiresAfterSeconds: null,
    retryOf: null,
    front: null,
    frontDeletedAt: null,
    neverRun: null,
    priority: 0,
    options: null,
    status: 'in_progress',
    stop: null,
    pausedAt: null,
    errors: null,
    model: null,
    outputFileId: null,
    errorFileId: null,
    createdAt: startOfDay,
    expiresAt: startOfDay + 86_400,
    cancellingAt: null,
    cancelledAt: null,
    total: 0,
    completed: 0,
    failed: 0,
    usage: {
      input_tokens: 0,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 0,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 0,
    },
    amountNano: 0n,
    listAmountNano: 0n,
    entries: 0,
    unpricedEntries: 0,
    lanes: [],
    lanesKey: null,
    openSegments: 0,
  };
}

describe('GET /v1/batches/{id}/ledger', () => {
  beforeEach(async () => {
    await harness.deps.store.batches.insert(batch('batch_1', 'acme'));
    await harness.deps.store.ledger.append([
      entry({ tenantId: 'acme', batchId: 'batch_1', amountNano: 7 }),
      entry({ tenantId: 'acme', batchId: 'batch_1', line: 2, target: 'pool-b/llama', amountNano: 8 }),
      entry({ tenantId: 'acme', batchId: 'batch_2', line: 1, amountNano: 100 }),
    ]);
  });

  it('sums the batch by target, model and status', async () => {
    const { secret } = await harness.makeKey({ tenant_id: 'acme' });
    const answer = await harness.send('GET', '/v1/batches/batch_1/ledger', { key: secret });
    expect(await answer.json()).toMatchObject({
      object: 'batch.ledger',
      batch_id: 'batch_1',
      data: [
        { target: 'pool-a/llama', model: 'llama', status: 'succeeded', amount_nano_usd: 7 },
        { target: 'pool-b/llama', model: 'llama', status: 'succeeded', amount_nano_usd: 8 },
      ],
      total: { entries: 2, amount_nano_usd: 15 },
    });
  });

  it('lists its entries on demand, also to an administrator', async () => {
    const answer = await harness.send('GET', '/v1/batches/batch_1/ledger?entries=true&order=asc');
    const page = ledgerEntryPageSchema.parse(await answer.json());
    expect(page.data.map((shown) => shown.line)).toEqual([1, 2]);
  });

  it('is 404 for another tenant, as for a batch that never was', async () => {
    const { secret } = await harness.makeKey({ tenant_id: 'b' });
    for (const query of ['', '?entries=true', '?format=csv']) {
      const foreign = await harness.send('GET', `/v1/batches/batch_1/ledger${query}`, { key: secret });
      const unknown = await harness.send('GET', `/v1/batches/batch_9/ledger${query}`, { key: secret });
      expect(foreign.status).toBe(404);
      expect((await foreign.text()).replace('batch_1', 'batch_9')).toBe(await unknown.text());
    }
  });
});
