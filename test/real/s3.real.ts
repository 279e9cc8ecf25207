import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Access, createAccess } from '../../providers/bedrock/access.ts';
import { createBatchApi } from '../../providers/bedrock/batch.ts';
import { bedrockSettings } from '../../providers/bedrock/config.ts';
import { download } from '../../providers/bedrock/download.ts';
import { type Bucket, createBucket, type ListedObject } from '../../providers/bedrock/objects.ts';
import type { BatchCall } from '../../providers/contract.ts';
import { createNodeHttpClient } from '../../providers/shared/http-node.ts';
import { failureOf, gather } from '../contract/provider-batch-setup.ts';
import { content, forEachBelow, mebibyte, streamed } from './content.ts';
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts';

const { WEIR_TEST_S3_URL: url, WEIR_TEST_S3_SECRET: secret = 'none' } = process.env;
const name = 'weir-real';
const role = 'arn:aws:iam::123456789012:role/weir-batch';

/** Signatures, parts, ranges, preconditions and pages are checked as S3 checks them. */
describe.skipIf(url === undefined)('S3 as MinIO has it', () => {
  const http = createNodeHttpClient();
  let proxy: CuttingProxy;
  let access: Access;
  let bucket: Bucket;
  /** The same bucket, over connections that can be cut. */
  let cuttableAccess: Access;
  let cuttable: Bucket;
  let folder = 0;
  const keyOf = (file: string) => `weir/t-${folder}/${file}`;

  beforeAll(async () => {
    proxy = await startCuttingProxy(url ?? '');
    access = accessAt(url ?? '');
    bucket = createBucket(access, name);
    cuttableAccess = accessAt(proxy.url);
    cuttable = createBucket(cuttableAccess, name);
    const { sdk, client } = await access.objects();
    await client.send(new sdk.CreateBucketCommand({ Bucket: name }));
  });
  afterAll(async () => {
    await access?.close();
    await cuttableAccess?.close();
    await proxy?.stop();
    await http.close();
  });
  beforeEach(() => {
    folder += 1;
  });

  function settingsAt(endpoint: string, key: string) {
    const credentials = { access_key_id: 'weir-test', secret_access_key: key };
    const place = { region: 'us-east-1', role_arn: role, bucket: name, s3_endpoint: endpoint, base_url: endpoint };
    return bedrockSettings.parse({ kind: 'bedrock', ...credentials, ...place });
  }

  function accessAt(endpoint: string, key = secret): Access {
    return createAccess('s3', settingsAt(endpoint, key));
  }

  function call(changes: Partial<BatchCall> = {}): BatchCall {
    const limits = { timeoutMs: 20_000, maxResponseBytes: 10e6, nowMs: Date.now() };
    return { http, fetch, ...limits, saved: () => Promise.resolve(), ...changes };
  }

  async function store(bytes: Buffer): Promise<ListedObject> {
    await bucket.upload(keyOf('input.jsonl'), streamed(bytes), call());
    const [object, ...more] = await gather(bucket.list(keyOf(''), call()));
    if (object === undefined || more.length > 0) throw new Error(`${more.length + 1} objects, or none`);
    return object;
  }

  const downloaded = async (object: ListedObject) =>
    Buffer.concat(await gather(download(bucket, object, access, call())));

  /** Uploads that are open, and objects. MinIO shows the uploads of a whole key only, not of a folder. */
  async function left(key = keyOf('input.jsonl')): Promise<{ uploads: number; objects: number }> {
    const uploads = await bucket.openUploads(key, call());
    return { uploads: uploads.length, objects: (await gather(bucket.list(keyOf(''), call()))).length };
  }

  it.each([
    [0, 0],
    [1, 0],
    [5 * mebibyte + 1, 0],
    [8 * mebibyte, 0],
    [8 * mebibyte + 1, 2],
    [20 * mebibyte + 3, 3],
  ])('stores %i bytes in %i parts (0: at once) and reads them back', async (size, parts) => {
    const bytes = content(size);
    const object = await store(bytes);
    expect(object.size).toBe(size);
    // S3 adds the number of parts to the tag of an object that came in parts.
    expect(object.etag).toMatch(parts === 0 ? /^"[0-9a-f]{32}"$/ : new RegExp(`^"[0-9a-f]{32}-${parts}"$`));
    expect(Math.abs(object.createdAt - Date.now() / 1000)).toBeLessThan(60);
    expect((await downloaded(object)).equals(bytes)).toBe(true);
    expect(await left()).toEqual({ uploads: 0, objects: 1 });
  });

  it('reads from an offset', async () => {
    const bytes = content(9 * mebibyte);
    const { body, offset } = await bucket.read(await store(bytes), 8 * mebibyte + 5, call());
    expect(offset).toBe(8 * mebibyte + 5);
    expect(Buffer.concat(await gather(body)).equals(bytes.subarray(offset))).toBe(true);
  });

  it('goes on by range after a download was cut, twice', async () => {
    const bytes = content(12 * mebibyte);
    const object = await store(bytes);
    const { cuts, ranges } = proxy;
    const seen = ranges.length;
    proxy.cut('down', 2 * mebibyte);
    const parts: Uint8Array[] = [];
    let got = 0;
    for await (const chunk of download(cuttable, object, cuttableAccess, call())) {
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

  it('does not mix two versions of an object', async () => {
    const first = await store(content(mebibyte));
    await store(content(2 * mebibyte));
    expect(await failureOf(downloaded(first))).toMatchObject({ status: 412 });
  });

  it('follows the pages of a listing, in order and without doubles', async () => {
    const keys = Array.from({ length: 1050 }, (_none, index) =>
      keyOf(`out/${String(index).padStart(4, '0')}.jsonl.out`),
    );
    await forEachBelow(keys.length, (index) =>
      bucket.upload(keys[index] ?? '', streamed(Buffer.from(`${index}`)), call()),
    );
    await bucket.upload(`weir/t-${folder}x/outside`, streamed(Buffer.from('x')), call());
    const listed = await gather(bucket.list(keyOf('out/'), call()));
    expect(listed.map(({ key }) => key)).toEqual(keys);
    expect(await gather(bucket.list(keyOf('none/'), call()))).toEqual([]);
  });

  it('deletes an object, whatever its name, and does not mind that it is gone', async () => {
    const key = keyOf("a b%2F+#ü!'().jsonl");
    await bucket.upload(key, streamed(Buffer.from('x')), call());
    expect((await gather(bucket.list(keyOf(''), call()))).map((object) => object.key)).toEqual([key]);
    await bucket.delete(key, call());
    await bucket.delete(key, call());
    expect(await left()).toEqual({ uploads: 0, objects: 0 });
  });

  it('cleans up all objects of a token and no other', async () => {
    const { cleanup } = createBatchApi(access, { ...settingsAt(url ?? '', secret), role_arn: role, bucket: name });
    const ours = [keyOf('input.jsonl'), keyOf('out/job/input.jsonl.out'), keyOf('out/job/manifest.json.out')];
    const others = `weir/t-${folder}x/input.jsonl`;
    for (const key of [...ours, others]) await bucket.upload(key, streamed(Buffer.from('x')), call());
    const removed = await cleanup({ token: `t-${folder}` }, call());
    expect(removed.toSorted()).toEqual(ours.map((key) => `s3://${name}/${key}`));
    expect(await gather(bucket.list(`weir/t-${folder}`, call()))).toMatchObject([{ key: others }]);
  });

  it('leaves nothing when the source breaks halfway', async () => {
    let during = 0;
    async function* source() {
      yield* streamed(content(12 * mebibyte));
      during = (await left()).uploads;
      throw new Error('the source broke');
    }
    await expect(bucket.upload(keyOf('input.jsonl'), source(), call())).rejects.toThrow('the source broke');
    expect(during).toBe(1);
    expect(await left()).toEqual({ uploads: 0, objects: 0 });
  });

  it('leaves nothing when the connection is cut in a part', async () => {
    const { cuts } = proxy;
    proxy.cut('up', 12 * mebibyte);
    const upload = cuttable.upload(keyOf('input.jsonl'), streamed(content(20 * mebibyte)), call());
    // The SDK names a connection that broke a timeout.
    expect(await failureOf(upload)).toMatchObject({
      kind: expect.stringMatching(/^(connection|timeout)$/),
      status: null,
    });
    expect(proxy.cuts - cuts).toBe(1);
    expect(await left()).toEqual({ uploads: 0, objects: 0 });
  });

  it('leaves nothing when the caller gives up halfway', async () => {
    const giveUp = new AbortController();
    async function* source() {
      for await (const chunk of streamed(content(12 * mebibyte))) yield chunk;
      giveUp.abort();
      yield content(8 * mebibyte);
    }
    const upload = bucket.upload(keyOf('input.jsonl'), source(), call({ signal: giveUp.signal }));
    expect(await failureOf(upload)).toMatchObject({ kind: 'interrupted' });
    expect(await left()).toEqual({ uploads: 0, objects: 0 });
  });

  it('finds and aborts an upload that somebody left open', async () => {
    const { sdk, client } = await access.objects();
    const key = keyOf('input.jsonl');
    await client.send(new sdk.CreateMultipartUploadCommand({ Bucket: name, Key: key }));
    const [open, ...more] = await bucket.openUploads(key, call());
    expect(open).toMatchObject({ key });
    expect(more).toEqual([]);
    if (open !== undefined) await bucket.abortUpload(open, call());
    expect(await left()).toEqual({ uploads: 0, objects: 0 });
  });

  it('says that the credentials are wrong, without showing them', async () => {
    const wrong = accessAt(url ?? '', 'not-the-secret');
    const failure = await failureOf(gather(createBucket(wrong, name).list('weir/', call())));
    await wrong.close();
    expect(failure.status).toBe(403);
    expect(JSON.stringify(failure)).not.toContain('not-the-secret');
  });
});
