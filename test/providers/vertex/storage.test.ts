import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startVertexServer, type VertexServer } from '../../../providers/sandbox/servers/vertex.ts';
import type { VertexChanges } from '../../../providers/sandbox/servers/vertex-settings.ts';
import { GcsBucket } from '../../../providers/shared/gcs.ts';
import { Crc32c } from '../../../providers/shared/gcs-crc32c.ts';
import type { GcsObject } from '../../../providers/shared/gcs-object.ts';
import { GoogleTokens } from '../../../providers/shared/google-auth.ts';
import { type GoogleCall, GoogleClient } from '../../../providers/shared/google-auth-fetch.ts';
import { failureOf, gather } from '../../contract/provider-batch-setup.ts';
import { closedUrl, httpAnswer, startScriptedServer } from '../scripted-server.ts';
import { bucket, issueToken } from './batch-subject.ts';

const mebibyte = 1024 * 1024;

/** Bytes that differ everywhere, so that anything lost, doubled or moved shows. */
function content(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  for (let index = 0; index < bytes; index += 4) buffer.writeUInt32LE(index, Math.min(index, bytes - 4));
  return buffer;
}

describe('Cloud Storage', () => {
  let server: VertexServer;
  let storage: GcsBucket;
  beforeEach(async () => {
    server = await startVertexServer();
    storage = storageAt(server.url);
  });
  afterEach(() => server.stop());

  function storageAt(endpoint: string, token = issueToken(server)): GcsBucket {
    const tokens = new GoogleTokens('vx', { access_token: token });
    return new GcsBucket(new GoogleClient('vx', tokens), endpoint, bucket);
  }

  const call = (changes: Partial<GoogleCall> = {}): GoogleCall => ({
    fetch,
    timeoutMs: 5000,
    maxResponseBytes: 10e6,
    nowMs: Date.now(),
    ...changes,
  });
  const fault = (...faults: NonNullable<VertexChanges['faults']>) => server.configure({ faults });

  async function upload(bytes: Buffer, pieces = 100_000): Promise<number> {
    let opened = 0;
    await storage.upload(
      'weir/t/input.jsonl',
      async function* () {
        opened += 1;
        for (let at = 0; at < bytes.length; at += pieces) yield bytes.subarray(at, at + pieces);
      },
      call(),
    );
    return opened;
  }

  const stored = () => server.store.get(bucket, 'weir/t/input.jsonl')?.bytes;

  async function objectOf(bytes: Buffer): Promise<GcsObject> {
    server.store.put(bucket, 'out/predictions.jsonl', bytes);
    const [object] = await gather(storage.list('out/', call()));
    if (object === undefined) throw new Error('not listed');
    return object;
  }

  const download = async (object: GcsObject, changes?: Partial<GoogleCall>) =>
    Buffer.concat(await gather(storage.download(object, call(changes))));

  it.each([1, 262_144, 8 * mebibyte, 8 * mebibyte + 1, 17 * mebibyte])('stores %i bytes in chunks', async (size) => {
    const bytes = content(Math.max(size, 4)).subarray(0, size);
    await upload(bytes);
    expect(stored()?.equals(bytes)).toBe(true);
    expect(server.counters.chunks).toBe(Math.ceil(size / (8 * mebibyte)));
  });

  it.each(['reset', 'half', 'lost', 503, 429, 408] as const)(
    'goes on after %s in the middle, and doubles nothing',
    async (kind) => {
      const bytes = content(20 * mebibyte);
      fault({ on: 'PUT', fault: kind, skip: 1 });
      expect(await upload(bytes)).toBe(1);
      expect(stored()?.equals(bytes)).toBe(true);
    },
  );

  it('goes on after the answer to the last chunk was lost', async () => {
    const bytes = content(9 * mebibyte);
    fault({ on: 'PUT', fault: 'lost', skip: 1 }, { on: 'PUT', fault: 'reset' });
    expect(await upload(bytes)).toBe(1);
    expect(stored()?.equals(bytes)).toBe(true);
  });

  it('begins anew when the session is lost, once', async () => {
    const bytes = content(9 * mebibyte);
    fault({ on: 'PUT', fault: 410, skip: 1 });
    expect(await upload(bytes)).toBe(2);
    expect(stored()?.equals(bytes)).toBe(true);
    fault({ on: 'PUT', fault: 410, times: 9 });
    expect(await failureOf(upload(bytes))).toMatchObject({ kind: 'server_error', code: 'upload_lost' });
  });

  it('opens the session again when that fails, and gives up in the end', async () => {
    fault({ on: 'POST /upload', fault: 503, times: 2 });
    await upload(content(8));
    fault({ on: 'PUT', fault: 500, times: 99 });
    expect(await failureOf(upload(content(8)))).toMatchObject({ kind: 'server_error', status: 500 });
    fault({ on: 'POST /upload', fault: 403 });
    expect(await failureOf(upload(content(8)))).toMatchObject({ kind: 'permission', status: 403 });
  });

  it('renews credentials that end during an upload', async () => {
    const tokens = new GoogleTokens('vx', { credentials: { ...server.credentials } });
    storage = new GcsBucket(new GoogleClient('vx', tokens), server.url, bucket);
    const bytes = content(20 * mebibyte);
    let sent = 0;
    await storage.upload(
      'weir/t/input.jsonl',
      async function* () {
        for (; sent < bytes.length; sent += mebibyte) {
          if (sent === 10 * mebibyte) server.tokens.revokeAll();
          yield bytes.subarray(sent, sent + mebibyte);
        }
      },
      call(),
    );
    expect(stored()?.equals(bytes)).toBe(true);
    expect(server.counters).toMatchObject({ tokens: 2, unauthorized: 1 });
  });

  it('sends no credential to an upload address elsewhere', async () => {
    const elsewhere = await startScriptedServer(({ socket }) => socket.write(httpAnswer(200, '{}')));
    const here = await startScriptedServer(({ socket }) =>
      socket.write(httpAnswer(200, '', { location: `${elsewhere.url}/upload` })),
    );
    storage = storageAt(here.url);
    expect(await failureOf(upload(content(8)))).toMatchObject({ code: 'foreign_address' });
    expect(elsewhere.requests).toHaveLength(0);
    await here.close();
    await elsewhere.close();
  });

  it('notices that other bytes were stored', async () => {
    const here = await startScriptedServer(({ socket, method }) => {
      const answer = { size: '8', crc32c: 'AAAAAA==' };
      socket.write(
        httpAnswer(200, method === 'PUT' ? JSON.stringify(answer) : '', { location: `${here.url}/session` }),
      );
    });
    storage = storageAt(here.url);
    expect(await failureOf(upload(content(8)))).toMatchObject({ code: 'damaged_upload' });
    await here.close();
  });

  it.each(['half', 'short', 'reset', 503] as const)('goes on after a download that met %s', async (kind) => {
    const bytes = content(3 * mebibyte);
    const object = await objectOf(bytes);
    fault({ on: 'alt=media', fault: kind, times: 3 });
    expect((await download(object)).equals(bytes)).toBe(true);
    expect(server.counters.downloads).toBe(kind === 'half' || kind === 'short' ? 4 : 1);
  });

  it('skips what it has when a server ignores the Range', async () => {
    const bytes = content(mebibyte);
    const object = await objectOf(bytes);
    server.configure({ ignore_range: true });
    fault({ on: 'alt=media', fault: 'half', times: 2 });
    // Every try brings the first half only, so the second one brings nothing new; the third is whole.
    expect((await download(object)).equals(bytes)).toBe(true);
  });

  it('does not mix two versions of an object', async () => {
    const object = await objectOf(content(mebibyte));
    server.store.put(bucket, 'out/predictions.jsonl', content(2 * mebibyte));
    expect(await failureOf(download(object))).toMatchObject({ kind: 'not_found' });
  });

  it('never takes a part for the whole, or wrong bytes for right ones', async () => {
    const object = await objectOf(content(1000));
    expect(await failureOf(download({ ...object, bytes: 999 }))).toMatchObject({ code: 'damaged_download' });
    expect(await failureOf(download({ ...object, bytes: 1001 }))).toMatchObject({ reachedProvider: true });
    expect(await failureOf(download({ ...object, crc32c: 'AAAAAA==' }))).toMatchObject({ code: 'damaged_download' });
    fault({ on: 'alt=media', fault: 'half', times: 99 });
    expect(await failureOf(download(object))).toMatchObject({ kind: 'connection' });
  });

  it('gives up on a download that stands still, and stops when it is told to', async () => {
    const object = await objectOf(content(1000));
    fault({ on: 'alt=media', fault: 'hang', times: 99 });
    expect(await failureOf(download(object, { timeoutMs: 50 }))).toMatchObject({ kind: 'timeout' });
    const signal = AbortSignal.timeout(50);
    expect(await failureOf(download(object, { signal }))).toMatchObject({ kind: 'interrupted' });
  });

  it('follows the pages of a listing, and knows an empty one', async () => {
    server.configure({ list_page: 3 });
    for (let index = 0; index < 10; index += 1) server.store.put(bucket, `out/${index}.jsonl`, Buffer.from('x'));
    server.store.put(bucket, 'outside', Buffer.from('x'));
    expect(await gather(storage.list('out/', call()))).toHaveLength(10);
    expect(server.counters.listings).toBe(4);
    expect(await gather(storage.list('none/', call()))).toEqual([]);
  });

  it('removes an object once, whatever its name', async () => {
    const name = 'out/a b%2F?#ü.jsonl';
    server.store.put(bucket, name, Buffer.from('x'));
    expect(await storage.remove(name, call())).toBe(true);
    expect(await storage.remove(name, call())).toBe(false);
    fault({ on: 'DELETE', fault: 403 });
    expect(await failureOf(storage.remove(name, call()))).toMatchObject({ kind: 'permission' });
  });

  it('knows its own addresses from others', () => {
    expect(storage.nameOf(`gs://${bucket}/weir/t/output`, 'weir/')).toBe('weir/t/output');
    for (const uri of [
      'gs://other/weir/t',
      `gs://${bucket}/else/t`,
      `gs://${bucket}/weir/../else`,
      'https://x/weir/',
      '',
    ]) {
      expect(storage.nameOf(uri, 'weir/')).toBeNull();
    }
  });

  it('says that nothing was sent when no connection came about', async () => {
    const away = storageAt(await closedUrl());
    expect(await failureOf(gather(away.list('', call())))).toMatchObject({
      kind: 'connection',
      reachedProvider: false,
    });
  });

  it('computes the checksum of the standard', () => {
    const sum = new Crc32c();
    sum.add(Buffer.from('1234'));
    sum.add(Buffer.from('56789'));
    expect(Buffer.from(sum.digest(), 'base64').toString('hex')).toBe('e3069283');
  });
});
