import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { openFsFiles } from '../../src/files/fs.ts';

const started = vi.hoisted(() => ({ threads: 0 }));
vi.mock('node:worker_threads', async (original) => {
  const real = await original<typeof import('node:worker_threads')>();
  class Worker extends real.Worker {
    constructor(...options: ConstructorParameters<typeof real.Worker>) {
      super(...options);
      started.threads += 1;
    }
  }
  return { ...real, Worker };
});

it('starts its thread for small objects, which come in numbers, and none for a large one', async () => {
  const root = await mkdtemp(join(tmpdir(), 'weir-files-'));
  const store = await openFsFiles(root);
  const writer = await store.create('files/large');
  await writer.write(Buffer.from('x'));
  await writer.close();
  expect(started.threads).toBe(0);
  await store.put('files/small', Uint8Array.from([1]));
  expect(started.threads).toBe(1);
  expect(await readdir(join(root, 'files'))).toEqual(['large', 'small']);
  await rm(root, { recursive: true });
});
