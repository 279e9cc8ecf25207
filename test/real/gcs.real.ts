import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GcsBucket } from '../../providers/shared/gcs.ts';
import type { GcsObject } from '../../providers/shared/gcs-object.ts';
import { GoogleTokens } from '../../providers/shared/google-auth.ts';
import { type GoogleCall, GoogleClient } from '../../providers/shared/google-auth-fetch.ts';
import { failureOf, gather } from '../contract/provider-batch-setup.ts';
import { content, forEachBelow, mebibyte, streamed } from './content.ts';
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts';

const { WEIR_TEST_GCS_URL: url } = process.env;
const bucket = 'weir-real';

/** fake-gcs-server takes any token; sessions, ranges, generations, pages and checksums are as Cloud Storage has them. */
describe.skipIf(url === undefined)('Cloud Storage as fake-gcs-server has it', () => {
  let storage: GcsBucket;
  let proxy: CuttingProxy;
  /** The same bucket, over connections that can be cut. */
  let cuttable: GcsBucket;
  let folder = 0;
  const nameOf = (file: string) => `weir/t-${folder}/${file}`;

  beforeAll(async () => {
    storage = bucketAt(url ?? '');
    proxy = await startCuttingProxy(url ?? '');
    cuttable = bucketAt(proxy.url);
    const created = await fetch(`${url}/storage/v1/b?project=test`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: bucket }),
    });
    if (!created.ok) throw new Error(`no bucket: ${created.status}`);
  });
  afterAll(() => proxy?.stop());
  beforeEach(() => {
    folder += 1;
  });

  function bucketAt(endpoint: string): GcsBucket {
    return new GcsBucket(new GoogleClient('gcs', new GoogleTokens('gcs', { access_token: 'test' })), endpoint, bucket);
  }

  function call(changes: Partial<GoogleCall> = {}): GoogleCall {
    return { fetch, timeoutMs: 20_000, maxResponseBytes: 10e6, nowMs: Date.now(), ...changes };
  }

  async function store(bytes: Buffer, over = storage): Promise<GcsObject> {
    await over.upload(nameOf('input.jsonl'), () => streamed(bytes), call());
    return only();
  }

  async function only(): Promise<GcsObject> {
    const [object, ...more] = await gather(storage.list(nameOf(''), call()));
    if (object === undefined || more.length > 0) throw new Error(`${more.length + 1} objects, or none`);
    return object;
  }

  const download = async (object: GcsObject, over = storage) =>
    Buffer.concat(await gather(over.download(object, call())));

  it.each([0, 1, 5 * mebibyte + 1, 8 * mebibyte, 8 * mebibyte + 1, 20 * mebibyte + 3])(
    'stores %i bytes in chunks and reads them back',
    async (size) => {
      const bytes = content(size);
      const object = await store(bytes);
      expect(object).toMatchObject({ bytes: size, crc32c: expect.stringMatching(/^.{6}==$/) });
      expect(Math.abs(object.createdAt - Date.now() / 1000)).toBeLessThan(60);
      expect((await download(object)).equals(bytes)).toBe(true);
    },
  );

  it('goes on by range after a download was cut, twice', async () => {
    const bytes = content(12 * mebibyte);
    const object = await store(bytes);
    const { cuts, ranges } = proxy;
    const seen = ranges.length;
    proxy.cut('down', 2 * mebibyte);
    const parts: Uint8Array[] = [];
    let got = 0;
    for await (const chunk of cuttable.download(object, call())) {
      parts.push(new Uint8Array(chunk));
      const before = got;
      got += chunk.length;
      if (before < 5 * mebibyte && got >= 5 * mebibyte) proxy.cut('down', mebibyte);
    }
    expect(proxy.cuts - cuts).toBe(2);
    expect(proxy.ranges.slice(seen)).toEqual([
      expect.stringMatching(/^bytes=[1-9]\d*-$/),
      expect.stringMatching(/^bytes=[1-9]\d*-$/),
    ]);
    expect(Buffer.concat(parts).equals(bytes)).toBe(true);
  });

  // Asked how far a cut upload came, this server ends it instead: the session is lost, and the content comes once more.
  it('stores the whole when an upload was cut on its way', async () => {
    const bytes = content(20 * mebibyte);
    const { cuts } = proxy;
    proxy.cut('up', 3 * mebibyte);
    const object = await store(bytes, cuttable);
    expect(proxy.cuts - cuts).toBe(1);
    expect(object.bytes).toBe(bytes.length);
    expect((await download(object)).equals(bytes)).toBe(true);
  });

  it('does not mix two versions of an object', async () => {
    const first = await store(content(mebibyte));
    const second = await store(content(2 * mebibyte));
    expect(second.generation).not.toBe(first.generation);
    expect(await failureOf(download(first))).toMatchObject({ kind: 'not_found' });
  });

  it('refuses bytes that do not match their checksum', async () => {
    const object = await store(content(1000));
    expect(await failureOf(download({ ...object, crc32c: 'AAAAAA==' }))).toMatchObject({ code: 'damaged_download' });
  });

  it('follows the pages of a listing, in order and without doubles', async () => {
    const names = Array.from({ length: 1050 }, (_none, index) => nameOf(`out/${String(index).padStart(4, '0')}.jsonl`));
    await forEachBelow(names.length, (index) =>
      storage.upload(names[index] ?? '', () => streamed(Buffer.from(`${index}`)), call()),
    );
    await storage.upload(`weir/t-${folder}x/outside`, () => streamed(Buffer.from('x')), call());
    const listed = await gather(storage.list(nameOf('out/'), call()));
    expect(listed.map(({ name }) => name)).toEqual(names);
    expect(await gather(storage.list(nameOf('none/'), call()))).toEqual([]);
  });

  it('removes an object once, whatever its name', async () => {
    const name = nameOf('a b%2F?#ü.jsonl');
    await storage.upload(name, () => streamed(Buffer.from('x')), call());
    expect((await only()).name).toBe(name);
    expect(await storage.remove(name, call())).toBe(true);
    expect(await storage.remove(name, call())).toBe(false);
    expect(await gather(storage.list(nameOf(''), call()))).toEqual([]);
  });

  it('leaves nothing when the source breaks halfway', async () => {
    const broken = () => streamed(content(20 * mebibyte), 12 * mebibyte);
    await expect(storage.upload(nameOf('input.jsonl'), broken, call())).rejects.toThrow();
    expect(await gather(storage.list(nameOf(''), call()))).toEqual([]);
  });

  it('leaves nothing when the caller gives up halfway', async () => {
    const giveUp = new AbortController();
    async function* source() {
      let sent = 0;
      for await (const chunk of streamed(content(20 * mebibyte))) {
        yield chunk;
        sent += chunk.length;
        if (sent > 12 * mebibyte) giveUp.abort();
      }
    }
    const upload = storage.upload(nameOf('input.jsonl'), source, call({ signal: giveUp.signal }));
    expect(await failureOf(upload)).toMatchObject({ kind: 'interrupted' });
    expect(await gather(storage.list(nameOf(''), call()))).toEqual([]);
  });
});
