import { open, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openFsFiles } from '../../src/files/fs.ts';
import { SMALL_BYTES, SmallObjects } from '../../src/files/small-objects.ts';
import { temporaryFolder } from '../e2e/weir.ts';

describe('small objects', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    vi.useRealTimers();
    await rm(folder, { recursive: true, force: true });
  });

  async function write(name: string, bytes: Uint8Array) {
    const path = join(folder, name);
    await writeFile(path, bytes);
    const { ino, size, mtimeMs } = await stat(path);
    return { path, mark: { ino, size, mtimeMs } };
  }

  it('are given from memory while the file is what it was, and for two seconds', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
    const small = new SmallObjects();
    const bytes = Uint8Array.from([1, 2, 3]);
    const { path, mark } = await write('a', bytes);
    small.keep(path, bytes, mark);
    vi.advanceTimersByTime(1_900);
    expect(small.get(path)).toBe(bytes);
    vi.advanceTimersByTime(200);
    expect(small.get(path)).toBeNull();
    small.keep(path, bytes, mark);
    small.forget(path);
    expect(small.get(path)).toBeNull();
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
    vi.advanceTimersByTime(4_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('are no more than a few megabytes: the oldest go first, and large ones are not kept', async () => {
    const small = new SmallObjects();
    const bytes = new Uint8Array(SMALL_BYTES);
    const written = await Promise.all(Array.from({ length: 80 }, (_, index) => write(String(index), bytes)));
    for (const { path, mark } of written) small.keep(path, bytes, mark);
    const kept = written.map(({ path }) => small.get(path) !== null);
    expect(kept.filter(Boolean)).toHaveLength(64);
    expect(kept.slice(0, 16)).not.toContain(true);
    const large = await write('large', new Uint8Array(SMALL_BYTES + 1));
    small.keep(large.path, new Uint8Array(SMALL_BYTES + 1), large.mark);
    expect(small.get(large.path)).toBeNull();
  });

  it('are read anew from the disk by the store when they were damaged, replaced or removed there', async () => {
    const files = await openFsFiles(folder);
    const text = async (key: string) => Buffer.from(await files.readRange(key, { offset: 1, length: 3 })).toString();
    await files.put('files/a', new Uint8Array(Buffer.from('abcdef')));
    expect(await text('files/a')).toBe('bcd');
    expect(await files.size('files/a')).toBe(6);
    const path = join(folder, 'files/a');
    // Clocks of file systems may have steps of some milliseconds.
    const { mtimeMs } = await stat(path);
    await expect
      .poll(async () => {
        await writeFile(path, 'ABCDEF');
        return (await stat(path)).mtimeMs;
      })
      .not.toBe(mtimeMs);
    expect(await text('files/a')).toBe('BCD');
    await truncate(path, 2);
    expect(await text('files/a')).toBe('B');
    expect(await files.size('files/a')).toBe(2);
    await rm(path);
    expect(await files.size('files/a')).toBeNull();
  });

  it('have a size also where the disk cannot read them, and are unreadable only for who reads them', async () => {
    const files = await openFsFiles(folder);
    const writer = await files.create('files/a');
    await writer.write(Buffer.from('abc'));
    await writer.close();
    const handle = await open(join(folder, 'files/a'));
    const failing = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, 'read');
    failing.mockRejectedValue(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }));
    try {
      expect(await files.size('files/a')).toBe(3);
      await expect(files.readRange('files/a', { offset: 0, length: 3 })).rejects.toThrow('cannot be read');
    } finally {
      failing.mockRestore();
      await handle.close();
    }
    expect(await files.size('files/a')).toBe(3);
  });
});
