import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { Page } from '../../src/protocol/page.ts';
import { batchRow, fileRow } from '../contract/store/subject.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
  const { batches, files } = harness.deps.store;
  await files.insert(fileRow('file_mail', { tenantId: 'default', filename: 'Mail 100%_done.jsonl' }));
  const rows: Parameters<typeof batchRow>[1][] = [
    { status: 'completed', amountNano: 3_000n, total: 10, metadata: { project: 'Triage' }, createdAt: 100 },
    { status: 'in_progress', amountNano: 9_007_199_254_740_993n, total: 5, configName: 'Nightly', createdAt: 200 },
    { status: 'failed', amountNano: 3_000n, total: 0, inputFileId: 'file_mail', createdAt: 300 },
    { status: 'expired', amountNano: 9_007_199_254_740_992n, total: 10, failed: 2, createdAt: 400 },
  ];
  for (const [index, row] of rows.entries())
    await batches.insert(batchRow(`batch_${index + 1}`, { tenantId: 'default', ...row }));
  await batches.insert(batchRow('batch_acme', { tenantId: 'acme', metadata: { project: 'triage' } }));
});
afterEach(() => harness.close());

async function ids(query: string, key?: string): Promise<string> {
  const answer = await harness.send('GET', `/v1/batches?${query}`, key === undefined ? {} : { key });
  if (answer.status !== 200) return `${answer.status} ${(await errorOf(answer)).param}`;
  return ((await answer.json()) as Page<BatchObject>).data.map(({ id }) => id.slice('batch_'.length)).join();
}

describe('GET /v1/batches', () => {
  it('filters by status and by time', async () => {
    expect(await ids('status=completed')).toBe('1');
    expect(await ids('status=failed,expired')).toBe('4,3');
    expect(await ids('status=lost')).toBe('400 status[0]');
    expect(await ids('created_from=200&created_before=400')).toBe('3,2');
  });

  it('searches ids, routes, metadata and file names as plain text', async () => {
    expect(await ids('search=TRIAGE')).toBe('1');
    expect(await ids('search=nightlY')).toBe('2');
    expect(await ids('search=100%25_done')).toBe('3');
    expect(await ids('search=batch_4')).toBe('4');
    for (const text of ['%25', '_x', "'", '") or 1=1 --'])
      expect(await ids(`search=${text}`)).toBe(text === '%25' ? '3' : '');
    expect(await ids('search=')).toBe('400 search');
  });

  it('sorts by money and counts exactly, and pages through ties', async () => {
    expect(await ids('sort=cost')).toBe('2,4,3,1');
    expect(await ids('sort=cost&order=asc')).toBe('1,3,4,2');
    expect(await ids('sort=requests')).toBe('4,1,2,3');
    expect(await ids('sort=failed&limit=1')).toBe('4');
    const seen: string[] = [];
    for (let after = ''; ; ) {
      const page = await ids(`sort=cost&limit=1${after && `&after=batch_${after}`}`);
      if (page === '') break;
      seen.push(page);
      after = page;
    }
    expect(seen).toEqual(['2', '4', '3', '1']);
    expect(await ids('sort=secret')).toBe('400 sort');
    expect(await ids('after=batch_acme')).toBe('404 id');
  });

  it('shows other tenants’ batches to administrators alone', async () => {
    const { secret } = await harness.makeKey({ tenant_id: 'acme' });
    expect(await ids('tenant_id=*')).toBe('acme,4,3,2,1');
    expect(await ids('tenant_id=acme')).toBe('acme');
    expect(await ids('search=triage', secret)).toBe('acme');
    expect(await ids('tenant_id=*', secret)).toBe('403 tenant_id');
    expect(await ids('tenant_id=acme', secret)).toBe('acme');
  });
});
