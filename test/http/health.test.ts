import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMetrics } from '../../src/http/metrics.ts';
import { entryRow } from '../contract/store/subject.ts';
import { type Harness, openHarness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

describe('health', () => {
  it('is open: no key is asked for', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs']) {
      expect((await harness.send('GET', path, { key: null })).status).toBe(200);
    }
  });

  it('says ready while database and file store answer', async () => {
    expect(await (await harness.send('GET', '/readyz')).json()).toMatchObject({ status: 'ok', reasons: [] });
  });

  it('stays alive and says why it is not ready when the database is gone', async () => {
    await harness.deps.store.close();
    const ready = await harness.send('GET', '/readyz');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ status: 'unavailable', reasons: ['the database does not answer'] });
    expect((await harness.send('GET', '/healthz')).status).toBe(200);
  });

  it('names the file store when that is what fails', async () => {
    const files = { ...harness.deps.files, put: () => Promise.reject(new Error('bucket-secret')) };
    const broken = await openHarness({ files });
    const ready = await broken.send('GET', '/readyz');
    expect(await ready.json()).toMatchObject({ status: 'unavailable', reasons: ['the file store does not answer'] });
    await broken.close();
  });

  it('tells that a disk is full, writes no more often than every two seconds, and is ready again when there is room', async () => {
    let isFull = true;
    let writes = 0;
    const { files: real } = harness.deps;
    const files = {
      ...real,
      put: (...object: Parameters<typeof real.put>) => {
        writes += 1;
        return isFull ? Promise.reject(new Error('ENOSPC: no space left on device, write')) : real.put(...object);
      },
    };
    const full = await openHarness({ files });
    for (let asked = 0; asked < 3; asked++) {
      const ready = await full.send('GET', '/readyz');
      expect(ready.status).toBe(503);
      expect(await ready.json()).toMatchObject({
        reasons: ['the disk of the file store is full: what is under way waits until there is room'],
      });
    }
    expect(writes).toBe(1);
    isFull = false;
    full.time.nowMs += 2_000;
    expect((await full.send('GET', '/readyz')).status).toBe(200);
    expect(await full.deps.files.size('health/probe')).toBeNull();
    await full.close();
  });

  it('does not wait for ever for a database that hangs', async () => {
    const store = { ...harness.deps.store, ping: () => new Promise<void>(() => undefined) };
    const clock = { ...harness.deps.clock, sleep: () => Promise.resolve() };
    const hanging = await openHarness({ store, clock });
    expect((await hanging.send('GET', '/readyz')).status).toBe(503);
    await hanging.close();
  });
});

describe('metrics', () => {
  it('count requests by route pattern and status, never by path', async () => {
    await harness.send('GET', '/v1/batches/batch_secret1/ledger');
    await harness.send('GET', '/v1/batches/batch_secret2/ledger');
    await harness.send('GET', '/whatever/secret3');
    const answer = await harness.send('GET', '/metrics');
    expect(answer.headers.get('content-type')).toContain('text/plain');
    const text = await answer.text();
    expect(text).toContain('weir_http_requests_total{method="GET",route="/v1/batches/:id/ledger",status="404"} 2');
    expect(text).toContain('weir_http_requests_total{method="GET",route="unmatched",status="404"} 1');
    expect(text).toMatch(/weir_http_request_duration_seconds_count\{method="GET",route="unmatched"\} 1/);
    expect(text).not.toContain('secret');
  });

  it('count batches by status and say that the store is up', async () => {
    const text = await (await harness.send('GET', '/metrics')).text();
    expect(text).toContain('weir_batches{status="in_progress"} 0');
    expect(text).toContain('weir_store_up 1');
  });

  it('say that the store is down, and still answer', async () => {
    await harness.deps.store.close();
    const answer = await harness.send('GET', '/metrics');
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('weir_store_up 0');
  });

  it('hold no tenant and no key', async () => {
    const { id } = await harness.makeKey({ tenant_id: 'acme-canary' });
    await harness.send('DELETE', `/v1/keys/${id}`);
    const text = await (await harness.send('GET', '/metrics')).text();
    expect(text).not.toContain('acme-canary');
    expect(text).not.toContain(id);
  });

  it('tell administrators what each budget allows, has spent and holds, and nobody else', async () => {
    const json = { tenant_id: 'acme', limit_usd: '12.5', period: 'total' };
    const { id } = (await (await harness.send('POST', '/v1/budgets', { json })).json()) as { id: string };
    await harness.deps.store.ledger.append([
      entryRow({
        batchId: null,
        line: null,
        tenantId: 'acme',
        amountNano: 1_500_000_001,
        createdAt: Math.floor(harness.time.nowMs / 1000),
      }),
    ]);
    const text = await (await harness.send('GET', '/metrics')).text();
    expect(text).toContain(`weir_budget_limit_usd{budget="${id}"} 12.5`);
    expect(text).toContain(`weir_budget_spent_usd{budget="${id}"} 1.500000001`);
    expect(text).toContain(`weir_budget_held_usd{budget="${id}"} 0`);
    const { secret } = await harness.makeKey({ tenant_id: 'acme' });
    for (const key of [null, secret]) {
      const open = await harness.send('GET', '/metrics', { key });
      expect(open.status).toBe(200);
      expect(await open.text()).not.toContain('weir_budget');
    }
    expect((await harness.send('GET', '/metrics', { key: 'weir_wrong' })).status).toBe(401);
    await harness.send('DELETE', `/v1/budgets/${id}`);
    expect(await (await harness.send('GET', '/metrics')).text()).not.toContain(id);
  });

  it('are separate between apps, and shared by whoever is given the same ones', async () => {
    const metrics = createMetrics({ process: true });
    const shared = await openHarness({ metrics });
    metrics.count({ name: 'weir_calls_total', help: 'Calls.', labels: ['provider'] }, { provider: 'a' }, 3);
    const text = await (await shared.send('GET', '/metrics')).text();
    expect(text).toContain('weir_calls_total{provider="a"} 3');
    expect(text).toContain('process_resident_memory_bytes');
    expect(await (await harness.send('GET', '/metrics')).text()).not.toContain('weir_calls_total');
    await shared.close();
  });
});
