import { type FileHandle, mkdir, mkdtemp, open, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openFsFiles } from '../../src/files/fs.ts';
import { openMemoryFiles } from '../../src/files/memory.ts';
import { openR2Files } from '../../src/files/r2.ts';
import { FileMissing } from '../../src/ports/files.ts';
import { describeFileStore } from '../contract/file-store.ts';
import { MemoryBucket } from './r2-bucket.ts';

const directories: string[] = [];

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-files-'));
  directories.push(directory);
  return directory;
}

afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true });
});

describeFileStore('memory', async () => openMemoryFiles(() => Date.now()));
describeFileStore('file system', async () => openFsFiles(await temporary()));
describeFileStore('R2', async () => openR2Files(new MemoryBucket(4)));

describe('file store: file system', () => {
  it('follows no link out of its root', async () => {
    const outside = await temporary();
    await writeFile(join(outside, 'secret'), 'secret');
    const root = await temporary();
    const store = await openFsFiles(root);
    await symlink(outside, join(root, 'linked'));
    await symlink(join(outside, 'secret'), join(root, 'leak'));
    for (const key of ['linked/secret', 'leak']) {
      await expect(store.read(key)).rejects.toThrow(FileMissing);
      await expect(store.readRange(key, { offset: 0, length: 6 })).rejects.toThrow(FileMissing);
      expect(await store.size(key)).toBeNull();
    }
    const writer = await store.create('linked/new');
    await expect(writer.close()).rejects.toThrow('leads out');
    await writer.abort();
    await expect(store.put('linked/new', Uint8Array.from([1]))).rejects.toThrow('leads out');
    expect(await readdir(join(root, '.unfinished'))).toEqual([]);
    await store.delete('linked/secret');
    expect(await readdir(outside)).toEqual(['secret']);
    for await (const object of store.list('')) throw new Error(`listed ${object.key}`);
  });

  it('works when the root itself is a link', async () => {
    const real = await temporary();
    const link = join(await temporary(), 'link');
    await symlink(real, link);
    const store = await openFsFiles(link);
    const writer = await store.create('files/a');
    await writer.write(Buffer.from('x'));
    await writer.close();
    expect(await store.size('files/a')).toBe(1);
  });

  it('leaves no unfinished file behind, and removes those of an earlier crash after a day', async () => {
    const root = await temporary();
    await mkdir(join(root, '.unfinished'));
    await writeFile(join(root, '.unfinished', 'old'), 'x');
    await writeFile(join(root, '.unfinished', 'fresh'), 'x');
    const longAgo = Date.now() / 1000 - 100_000;
    await utimes(join(root, '.unfinished', 'old'), longAgo, longAgo);
    const store = await openFsFiles(root);
    const closed = await store.create('a');
    await closed.close();
    const aborted = await store.create('b');
    await aborted.write(Buffer.alloc(3_000_000));
    await aborted.abort();
    expect(await readdir(join(root, '.unfinished'))).toEqual(['fresh']);
  });

  it('keeps nothing of an object that the disk failed to sync while it grew', async () => {
    const root = await temporary();
    const store = await openFsFiles(root);
    const probe = await open(root);
    const prototype = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    const syncs = vi.spyOn(prototype, 'datasync');
    try {
      // A later sync succeeds, as it does on a disk that has told of its failure once.
      syncs.mockRejectedValueOnce(new Error('the disk is broken'));
      for (const write of [Buffer.alloc(1_000_000), Buffer.alloc(100_000)]) {
        const writer = await store.create('large');
        const writing = async () => {
          for (let bytes = 0; bytes < 40_000_000; bytes += write.length) await writer.write(write);
          await writer.close();
        };
        if (write.length === 1_000_000) {
          await expect(writing()).rejects.toThrow('the disk is broken');
          await writer.abort();
          expect(await store.size('large')).toBeNull();
        } else {
          await writing();
          expect(await store.size('large')).toBe(40_000_000);
        }
      }
      expect(await readdir(join(root, '.unfinished'))).toEqual([]);
    } finally {
      syncs.mockRestore();
    }
  });

  it('writes while another delete removes the emptied directory', async () => {
    const store = await openFsFiles(await temporary());
    for (let round = 0; round < 30; round++) {
      const writer = await store.create('parts/batch/new');
      await Promise.all([writer.close(), store.delete('parts/batch/other')]);
      expect(await store.size('parts/batch/new')).toBe(0);
      await store.delete('parts/batch/new');
    }
  });

  it('says why an object could not be put, and puts the next one', async () => {
    const root = await temporary();
    const store = await openFsFiles(root);
    await writeFile(join(root, 'taken'), 'x');
    await expect(store.put('taken/a', Uint8Array.from([1]))).rejects.toMatchObject({ code: 'EEXIST' });
    const many = Array.from({ length: 50 }, (_, index) => store.put(`parts/${index}`, Uint8Array.from([index])));
    await Promise.all(many);
    for (let index = 0; index < 50; index++) {
      expect([...(await store.readRange(`parts/${index}`, { offset: 0, length: 9 }))]).toEqual([index]);
    }
    expect(await readdir(join(root, '.unfinished'))).toEqual([]);
  });

  it('closes its handle when a reader stops early', async () => {
    const root = await temporary();
    const store = await openFsFiles(root);
    const writer = await store.create('big');
    await writer.write(Buffer.alloc(2_000_000));
    await writer.close();
    const handles = async () => (await readdir('/proc/self/fd').catch(() => [])).length;
    const before = await handles();
    for (let round = 0; round < 20; round++) {
      for await (const _chunk of await store.read('big')) break;
      // Asked for and never read: nothing may stay open either.
      await store.read('big');
    }
    expect(await handles()).toBeLessThanOrEqual(before + 2);
  });
});

describe('file store: R2', () => {
  it('sends large objects in parts and gives up what is aborted', async () => {
    const bucket = new MemoryBucket(1_000);
    const store = openR2Files(bucket);
    const whole = await store.create('big');
    for (let index = 0; index < 20; index++) await whole.write(Buffer.alloc(1_000_001, index));
    expect(bucket.openUploads).toBe(1);
    await whole.close();
    expect(await store.size('big')).toBe(20_000_020);
    const aborted = await store.create('gone');
    await aborted.write(Buffer.alloc(9_000_000));
    await aborted.abort();
    expect(bucket.openUploads).toBe(0);
  });
});
