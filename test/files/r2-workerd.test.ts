import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { getPlatformProxy } from 'wrangler';
import { openR2Files, type R2Bucket } from '../../src/files/r2.ts';
import { describeFileStore } from '../contract/file-store.ts';

let directory: string;
let proxy: Awaited<ReturnType<typeof getPlatformProxy<{ BUCKET: R2Bucket }>>>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-r2-'));
  const configPath = join(directory, 'wrangler.json');
  const bindings = [{ binding: 'BUCKET', bucket_name: 'weir-test' }];
  await writeFile(configPath, JSON.stringify({ name: 'r2', compatibility_date: '2025-09-01', r2_buckets: bindings }));
  proxy = await getPlatformProxy({ configPath, persist: false });
}, 60_000);

afterAll(async () => {
  await proxy.dispose();
  await rm(directory, { recursive: true, force: true });
});

describeFileStore('R2 in workerd', async () => {
  const bucket = proxy.env.BUCKET;
  for (;;) {
    const { objects } = await bucket.list({ prefix: '' });
    if (objects.length === 0) return openR2Files(bucket);
    for (const { key } of objects) await bucket.delete(key);
  }
});
