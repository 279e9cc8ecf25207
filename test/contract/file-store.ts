import { describe, expect, it } from 'vitest';
import { FileMissing, type FileStore } from '../../src/ports/files.ts';

/** What every FileStore promises. `open` gives an empty one. */
export function describeFileStore(name: string, open: () => Promise<FileStore>): void {
  describe(`file store: ${name}`, () => {
    it('gives back what was written, whole and by ranges', async () => {
      const store = await open();
      const bytes = randomish(3_000_000);
      await write(store, 'files/file-Ab9', [
        bytes.subarray(0, 1),
        bytes.subarray(1, 2_000_000),
        bytes.subarray(2_000_000),
      ]);
      expect(await store.size('files/file-Ab9')).toBe(bytes.length);
      expect(same(await read(store, 'files/file-Ab9'), bytes)).toBe(true);
      for (const [offset, length] of [
        [0, 1],
        [0, 3_000_000],
        [999_999, 1_000_001],
        [2_999_999, 1],
        [2_999_990, 500],
        [5, 0],
      ] as const) {
        const expected = bytes.subarray(offset, offset + length);
        expect(same(await store.readRange('files/file-Ab9', { offset, length }), expected)).toBe(true);
        expect(same(await read(store, 'files/file-Ab9', { offset, length }), expected)).toBe(true);
      }
    });

    it('puts a small object at once, and another in its place', async () => {
      const store = await open();
      const bytes = randomish(600_000);
      await store.put('batches/b/parts/1', Uint8Array.from(bytes));
      expect(same(await read(store, 'batches/b/parts/1'), bytes)).toBe(true);
      await store.put('batches/b/parts/1', Uint8Array.from([1, 2, 3]));
      expect([...(await store.readRange('batches/b/parts/1', { offset: 1, length: 9 }))]).toEqual([2, 3]);
      await store.put('batches/b/parts/2', new Uint8Array(0));
      expect(await names(store, 'batches/')).toEqual(['batches/b/parts/1', 'batches/b/parts/2']);
      expect(await store.size('batches/b/parts/2')).toBe(0);
    });

    it('may read into memory that it is given, when there is room', async () => {
      const store = await open();
      const bytes = randomish(300_000);
      await write(store, 'a', [bytes]);
      const memory = new Uint8Array(100_000);
      for (const length of [100_000, 70_000, 100_001, 0]) {
        const expected = bytes.subarray(7, 7 + length);
        expect(same(await store.readRange('a', { offset: 7, length }, memory), expected)).toBe(true);
      }
      expect(same(await store.readRange('a', { offset: 299_990, length: 50 }, memory), bytes.subarray(299_990))).toBe(
        true,
      );
    });

    it('gives nothing beyond the end', async () => {
      const store = await open();
      await write(store, 'a', [Buffer.from('abc')]);
      expect(await store.readRange('a', { offset: 3, length: 5 })).toHaveLength(0);
      expect(await store.readRange('a', { offset: 99, length: 5 })).toHaveLength(0);
      expect(await read(store, 'a', { offset: 99, length: 5 })).toHaveLength(0);
    });

    it('keeps empty objects', async () => {
      const store = await open();
      await write(store, 'empty', []);
      expect(await store.size('empty')).toBe(0);
      expect(await read(store, 'empty')).toHaveLength(0);
      expect(await store.readRange('empty', { offset: 0, length: 10 })).toHaveLength(0);
    });

    it('shows nothing before the object is closed, nor after it is given up', async () => {
      const store = await open();
      const writer = await store.create('files/x');
      await writer.write(randomish(9_000_000));
      expect(await store.size('files/x')).toBeNull();
      expect(await names(store, '')).toEqual([]);
      await writer.abort();
      await writer.abort();
      expect(await store.size('files/x')).toBeNull();
      expect(await names(store, '')).toEqual([]);
      await expect(writer.write(Buffer.from('x'))).rejects.toThrow();
      await expect(writer.close()).rejects.toThrow();
    });

    it('keeps an object that is given up after it was closed', async () => {
      const store = await open();
      const writer = await store.create('k');
      await writer.write(Buffer.from('kept'));
      await writer.close();
      await writer.abort();
      expect(Buffer.from(await read(store, 'k')).toString()).toBe('kept');
    });

    it('does not use a chunk after its write', async () => {
      const store = await open();
      const writer = await store.create('k');
      const chunk = Buffer.from('one ');
      await writer.write(chunk);
      chunk.fill('x');
      await writer.write(Buffer.from('two'));
      await writer.close();
      expect(Buffer.from(await read(store, 'k')).toString()).toBe('one two');
    });

    it('gives out memory of its own', async () => {
      const store = await open();
      await write(store, 'k', [Buffer.from('abc')]);
      (await store.readRange('k', { offset: 0, length: 3 })).fill(0);
      expect(Buffer.from(await read(store, 'k')).toString()).toBe('abc');
    });

    it('replaces an object at once', async () => {
      const store = await open();
      await write(store, 'k', [Buffer.from('the old one')]);
      const writer = await store.create('k');
      await writer.write(Buffer.from('new'));
      expect(Buffer.from(await read(store, 'k')).toString()).toBe('the old one');
      const start = { offset: 0, length: 3 };
      expect(Buffer.from(await store.readRange('k', start)).toString()).toBe('the');
      await writer.close();
      expect(Buffer.from(await read(store, 'k')).toString()).toBe('new');
      expect(Buffer.from(await store.readRange('k', start)).toString()).toBe('new');
    });

    it('says FileMissing for what is not there', async () => {
      const store = await open();
      await write(store, 'files/a', [Buffer.from('x')]);
      for (const key of ['files/b', 'files', 'nothing/at/all', 'files/a/b']) {
        await expect(store.read(key)).rejects.toThrow(FileMissing);
        await expect(store.readRange(key, { offset: 0, length: 1 })).rejects.toThrow(FileMissing);
        expect(await store.size(key)).toBeNull();
      }
    });

    it('deletes, and deletes again', async () => {
      const store = await open();
      await write(store, 'files/a', [Buffer.from('x')]);
      await write(store, 'files/a.plan', [Buffer.from('y')]);
      await store.readRange('files/a', { offset: 0, length: 1 });
      await store.delete('files/a');
      await store.delete('files/a');
      await store.delete('never/was');
      expect(await names(store, '')).toEqual(['files/a.plan']);
      await expect(store.read('files/a')).rejects.toThrow(FileMissing);
      await expect(store.readRange('files/a', { offset: 0, length: 1 })).rejects.toThrow(FileMissing);
    });

    it('lists by prefix, in order, after a key, across pages', async () => {
      const store = await open();
      const keys = [
        ...Array.from({ length: 25 }, (_, index) => `files/file-${String(index).padStart(3, '0')}`),
        'files-b',
        'files/a-b',
        'files/a/1',
        'files/a/2',
        'files/a.plan',
        'uploads/Z/part_1',
      ];
      for (const key of keys) await write(store, key, [Buffer.from(key)]);
      const sorted = [...keys].sort();
      expect(await names(store, '')).toEqual(sorted);
      expect(await names(store, 'files/')).toEqual(sorted.filter((key) => key.startsWith('files/')));
      expect(await names(store, 'files/a')).toEqual(['files/a-b', 'files/a.plan', 'files/a/1', 'files/a/2']);
      expect(await names(store, 'files/a/2')).toEqual(['files/a/2']);
      for (const after of ['files/a.plan', 'files/a/1', 'files/file-010', 'zzz']) {
        expect(await names(store, 'files/', after)).toEqual(
          sorted.filter((key) => key.startsWith('files/') && key > after),
        );
      }
      for await (const object of store.list('uploads/')) {
        expect(object.bytes).toBe('uploads/Z/part_1'.length);
        expect(Number.isInteger(object.modifiedAt)).toBe(true);
      }
    });

    it.each([
      '',
      '/a',
      'a/',
      'a//b',
      '..',
      '../a',
      'a/../b',
      'a/./b',
      '.hidden',
      'a/.unfinished',
      'C:\\a',
      'a\\b',
      'a\0',
      'a b',
      'ä',
      'a%2e',
      'x'.repeat(513),
    ])('refuses the key %j', async (key) => {
      const store = await open();
      await expect(store.create(key)).rejects.toThrow(RangeError);
      await expect(store.put(key, new Uint8Array(1))).rejects.toThrow(RangeError);
      await expect(store.read(key)).rejects.toThrow(RangeError);
      await expect(store.readRange(key, { offset: 0, length: 1 })).rejects.toThrow(RangeError);
      await expect(store.size(key)).rejects.toThrow(RangeError);
      await expect(store.delete(key)).rejects.toThrow(RangeError);
    });
  });
}

async function write(store: FileStore, key: string, chunks: readonly Uint8Array[]): Promise<void> {
  const writer = await store.create(key);
  for (const chunk of chunks) await writer.write(chunk);
  await writer.close();
}

async function read(store: FileStore, key: string, range?: { offset: number; length: number }): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await store.read(key, range)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function names(store: FileStore, prefix: string, after?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const object of store.list(prefix, after)) keys.push(object.key);
  return keys;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function randomish(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0, value = 1; index < length; index++) {
    value = (value * 1_103_515_245 + 12_345) % 2_147_483_648;
    bytes[index] = value >>> 16;
  }
  return bytes;
}
