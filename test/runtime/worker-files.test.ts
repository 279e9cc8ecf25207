import { afterAll, beforeAll, it } from 'vitest';
import { openR2Files, type R2Bucket } from '../../src/files/r2.ts';
import { hasWorkerd, loadWrangler, WRANGLER_CONFIG } from '../../src/runtime/worker/dev/local-worker.ts';
import { describeFileStore } from '../contract/file-store.ts';

if (hasWorkerd()) {
  let bucket: R2Bucket;
  let stop = async (): Promise<void> => {};

  beforeAll(async () => {
    const { getPlatformProxy } = await loadWrangler();
    const platform = await getPlatformProxy<{ FILES: R2Bucket }>({
      configPath: WRANGLER_CONFIG,
      envFiles: [],
      persist: false,
      remoteBindings: false,
    });
    bucket = platform.env.FILES;
    stop = () => platform.dispose();
  });
  afterAll(() => stop());

  describeFileStore("workerd's R2", async () => {
    const files = openR2Files(bucket);
    for await (const { key } of files.list('')) await files.delete(key);
    return files;
  });
} else {
  it.skip("a file store on workerd's R2: npm has no workerd for this platform", () => {});
}
