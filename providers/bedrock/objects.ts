import type { BatchCall } from '../contract.ts';
import type { Access, Objects } from './access.ts';
import { partBytes } from './limits.ts';
import { awsFailure, ending } from './sdk.ts';

/** An object as a listing shows it. */
export interface ListedObject {
  key: string;
  size: number;
  etag: string | null;
  /** Unix seconds. */
  createdAt: number;
}

/** The configured bucket. Every member rejects with ProviderError. */
export interface Bucket {
  readonly name: string;
  /** Writes a stream in parts of 8 MiB, or at once when it is smaller; leaves nothing behind when it fails. */
  upload(key: string, source: AsyncIterable<Uint8Array>, call: BatchCall): Promise<void>;
  list(prefix: string, call: BatchCall): AsyncIterable<ListedObject>;
  /** The bytes of an object from `offset`, of the version that was listed. A store that ignores the range starts at 0. */
  read(object: ListedObject, offset: number, call: BatchCall): Promise<ObjectBody>;
  delete(key: string, call: BatchCall): Promise<void>;
  /** Uploads that were begun under the prefix and never finished. */
  openUploads(prefix: string, call: BatchCall): Promise<OpenUpload[]>;
  abortUpload(upload: OpenUpload, call: BatchCall): Promise<void>;
}

export interface OpenUpload {
  key: string;
  uploadId: string;
  /** Unix seconds. */
  createdAt: number;
}

export interface ObjectBody {
  body: AsyncIterable<Uint8Array>;
  /** Ends the transfer. */
  abort(): void;
  /** Where the body begins. */
  offset: number;
}

/** The bucket of this provider, over the S3 SDK. */
export function createBucket(access: Access, name: string): Bucket {
  async function run<Answer>(
    call: BatchCall,
    work: (objects: Objects, signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> {
    try {
      return await work(await access.objects(), ending(call));
    } catch (error) {
      throw awsFailure(error, 'objects', access, call);
    }
  }
  return {
    name,
    upload: (key, source, call) => upload(key, source, call),
    list: (prefix, call) => list(prefix, call),
    read: (object, offset, call) => run(call, (objects) => readFrom(objects, object, offset, call)),
    async delete(key, call) {
      await run(call, ({ sdk, client }, abortSignal) =>
        client.send(new sdk.DeleteObjectCommand({ Bucket: name, Key: key }), { abortSignal }),
      );
    },
    openUploads: (prefix, call) => openUploads(prefix, call),
    abortUpload: (open, call) => abort(open.key, open.uploadId, call),
  };

  async function upload(key: string, source: AsyncIterable<Uint8Array>, call: BatchCall): Promise<void> {
    const target = { Bucket: name, Key: key, ...ownerOf(access), ...encryptionOf(access) };
    let uploadId: string | null = null;
    const parts: { ETag: string | undefined; PartNumber: number }[] = [];
    try {
      for await (const { bytes, isLast } of partsOf(source)) {
        if (isLast && parts.length === 0) {
          await run(call, ({ sdk, client }, abortSignal) =>
            client.send(new sdk.PutObjectCommand({ ...target, Body: bytes }), { abortSignal }),
          );
          return;
        }
        uploadId ??= await begin(target, call);
        parts.push(await sendPart(key, uploadId, parts.length + 1, bytes, call));
      }
      await run(call, ({ sdk, client }, abortSignal) =>
        client.send(
          new sdk.CompleteMultipartUploadCommand({
            Bucket: name,
            Key: key,
            UploadId: uploadId ?? '',
            MultipartUpload: { Parts: parts },
          }),
          { abortSignal },
        ),
      );
    } catch (error) {
      // What is left behind even so is found by `openUploads`: the first error is the one to tell.
      if (uploadId !== null) await abort(key, uploadId, { ...call, signal: undefined }).catch(() => {});
      throw error;
    }
  }

  async function begin(target: { Bucket: string; Key: string }, call: BatchCall): Promise<string> {
    const begun = await run(call, ({ sdk, client }, abortSignal) =>
      client.send(new sdk.CreateMultipartUploadCommand(target), { abortSignal }),
    );
    return begun.UploadId ?? '';
  }

  async function sendPart(key: string, uploadId: string, number: number, bytes: Uint8Array, call: BatchCall) {
    const part = { Bucket: name, Key: key, UploadId: uploadId, PartNumber: number, Body: bytes };
    const sent = await run(call, ({ sdk, client }, abortSignal) =>
      client.send(new sdk.UploadPartCommand(part), { abortSignal }),
    );
    return { ETag: sent.ETag, PartNumber: number };
  }

  async function abort(key: string, uploadId: string, call: BatchCall): Promise<void> {
    await run(call, ({ sdk, client }, abortSignal) =>
      client.send(new sdk.AbortMultipartUploadCommand({ Bucket: name, Key: key, UploadId: uploadId }), { abortSignal }),
    );
  }

  async function* list(prefix: string, call: BatchCall): AsyncIterable<ListedObject> {
    let token: string | undefined;
    do {
      const query = { Bucket: name, Prefix: prefix, ...(token !== undefined && { ContinuationToken: token }) };
      const page = await run(call, ({ sdk, client }, abortSignal) =>
        client.send(new sdk.ListObjectsV2Command(query), { abortSignal }),
      );
      for (const { Key: key, Size: size, LastModified: time, ETag: etag } of page.Contents ?? []) {
        if (key === undefined) continue;
        yield { key, size: size ?? 0, etag: etag ?? null, createdAt: Math.floor((time?.getTime() ?? 0) / 1000) };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async function readFrom(
    { sdk, client }: Objects,
    { key, etag }: ListedObject,
    offset: number,
    call: BatchCall,
  ): Promise<ObjectBody> {
    const query = {
      Bucket: name,
      Key: key,
      ...(offset > 0 && { Range: `bytes=${offset}-` }),
      ...(etag !== null && { IfMatch: etag }),
    };
    const transfer = new AbortController();
    const stop = () => transfer.abort();
    // The deadline is for the beginning of the answer; whoever reads the body watches over the rest.
    const deadline = ending(call);
    deadline.addEventListener('abort', stop);
    const answer = await client.send(new sdk.GetObjectCommand(query), { abortSignal: transfer.signal });
    deadline.removeEventListener('abort', stop);
    const range = /^bytes (\d+)-/.exec(answer.ContentRange ?? '');
    return {
      body: answer.Body as AsyncIterable<Uint8Array>,
      abort: stop,
      offset: range === null ? 0 : Number(range[1]),
    };
  }

  async function openUploads(prefix: string, call: BatchCall): Promise<OpenUpload[]> {
    const open = await run(call, ({ sdk, client }, abortSignal) =>
      client.send(new sdk.ListMultipartUploadsCommand({ Bucket: name, Prefix: prefix }), { abortSignal }),
    );
    return (open.Uploads ?? []).flatMap(({ Key: key, UploadId: uploadId, Initiated: begun }) =>
      key === undefined || uploadId === undefined
        ? []
        : [{ key, uploadId, createdAt: Math.floor((begun?.getTime() ?? 0) / 1000) }],
    );
  }
}

function ownerOf({ settings }: Access) {
  return settings.bucket_owner === undefined ? {} : { ExpectedBucketOwner: settings.bucket_owner };
}

function encryptionOf({ settings }: Access) {
  return settings.kms_key_id === undefined
    ? {}
    : { ServerSideEncryption: 'aws:kms' as const, SSEKMSKeyId: settings.kms_key_id };
}

/** A stream cut into parts of 8 MiB; holds one part. An empty stream gives one empty part. */
async function* partsOf(source: AsyncIterable<Uint8Array>): AsyncIterable<{ bytes: Uint8Array; isLast: boolean }> {
  let part = new Uint8Array(partBytes);
  let filled = 0;
  for await (const chunk of source) {
    for (let start = 0; start < chunk.length; ) {
      // A full part goes out only when more follows, so that the last one is known.
      if (filled === partBytes) {
        yield { bytes: part, isLast: false };
        part = new Uint8Array(partBytes);
        filled = 0;
      }
      const taken = Math.min(partBytes - filled, chunk.length - start);
      part.set(chunk.subarray(start, start + taken), filled);
      filled += taken;
      start += taken;
    }
  }
  yield { bytes: part.subarray(0, filled), isLast: true };
}
