import { type ByteRange, checkObjectKey, FileMissing, type FileStore, type FileWriter } from '../ports/files.ts';

/** What is used of an R2 bucket binding. Source: developers.cloudflare.com/r2/api/workers/workers-api-reference. */
export interface R2Bucket {
  head(key: string): Promise<R2Object | null>;
  get(
    key: string,
    options?: { range: ByteRange },
  ): Promise<(R2Object & { body: ReadableStream<Uint8Array>; arrayBuffer(): Promise<ArrayBuffer> }) | null>;
  put(key: string, value: Uint8Array): Promise<unknown>;
  delete(key: string): Promise<void>;
  list(options: { prefix: string; startAfter?: string; cursor?: string; limit?: number }): Promise<R2Objects>;
  createMultipartUpload(key: string): Promise<R2MultipartUpload>;
}

export interface R2Object {
  key: string;
  size: number;
  uploaded: Date;
}

export interface R2Objects {
  objects: R2Object[];
  truncated: boolean;
  cursor?: string;
}

export interface R2MultipartUpload {
  uploadPart(partNumber: number, value: Uint8Array): Promise<R2UploadedPart>;
  complete(parts: R2UploadedPart[]): Promise<unknown>;
  abort(): Promise<void>;
}

export interface R2UploadedPart {
  partNumber: number;
  etag: string;
}

/** R2 wants parts of one size, the last excepted, of at least 5 MiB, and at most 10,000 of them. */
const partBytes = 8 * 1024 * 1024;

/** Objects in an R2 bucket: small ones in one put, larger ones as multipart uploads; both appear at once or never. */
export function openR2Files(bucket: R2Bucket): FileStore {
  return {
    async create(key) {
      checkObjectKey(key);
      return new R2Writer(bucket, key);
    },
    async put(key, bytes) {
      checkObjectKey(key);
      await bucket.put(key, bytes);
    },
    async read(key, range) {
      const object = await getObject(bucket, key, range);
      return object === null ? nothing() : object.body;
    },
    async readRange(key, range) {
      const object = await getObject(bucket, key, range);
      return object === null ? new Uint8Array(0) : new Uint8Array(await object.arrayBuffer());
    },
    async size(key) {
      checkObjectKey(key);
      return (await bucket.head(key))?.size ?? null;
    },
    async delete(key) {
      checkObjectKey(key);
      await bucket.delete(key);
    },
    async *list(prefix, after) {
      let cursor: string | undefined;
      do {
        const page = await bucket.list({
          prefix,
          ...(cursor === undefined ? {} : { cursor }),
          ...(cursor === undefined && after !== undefined ? { startAfter: after } : {}),
        });
        for (const { key, size, uploaded } of page.objects) {
          yield { key, bytes: size, modifiedAt: Math.floor(uploaded.getTime() / 1000) };
        }
        cursor = page.truncated ? page.cursor : undefined;
      } while (cursor !== undefined);
    },
  };
}

/** Null when the object is there but holds nothing in `range`, which R2 refuses to serve. */
async function getObject(bucket: R2Bucket, key: string, range: ByteRange | undefined) {
  checkObjectKey(key);
  if (range !== undefined) {
    const head = await bucket.head(key);
    if (head === null) throw new FileMissing(key);
    const length = Math.min(range.length, head.size - range.offset);
    if (length <= 0) return null;
    range = { offset: range.offset, length };
  }
  const object = await bucket.get(key, ...(range === undefined ? [] : [{ range }]));
  if (object === null) throw new FileMissing(key);
  return object;
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

class R2Writer implements FileWriter {
  readonly #bucket: R2Bucket;
  readonly #key: string;
  #upload: R2MultipartUpload | null = null;
  readonly #parts: R2UploadedPart[] = [];
  #pieces: Uint8Array[] = [];
  #length = 0;
  #ended = false;

  constructor(bucket: R2Bucket, key: string) {
    this.#bucket = bucket;
    this.#key = key;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#ended) throw new Error('the object is closed already');
    for (let at = 0; at < chunk.length; ) {
      // Not slice(): a Buffer's is a view of the caller's memory.
      const piece = new Uint8Array(chunk.subarray(at, at + partBytes - this.#length));
      this.#pieces.push(piece);
      this.#length += piece.length;
      at += piece.length;
      if (this.#length === partBytes) await this.#sendPart();
    }
  }

  async close(): Promise<void> {
    if (this.#ended) throw new Error('the object is closed already');
    this.#ended = true;
    if (this.#upload === null) {
      await this.#bucket.put(this.#key, this.#take());
      return;
    }
    if (this.#length > 0) await this.#sendPart();
    await this.#upload.complete(this.#parts);
    this.#upload = null;
  }

  async abort(): Promise<void> {
    this.#ended = true;
    this.#pieces = [];
    const upload = this.#upload;
    this.#upload = null;
    await upload?.abort();
  }

  async #sendPart(): Promise<void> {
    this.#upload ??= await this.#bucket.createMultipartUpload(this.#key);
    this.#parts.push(await this.#upload.uploadPart(this.#parts.length + 1, this.#take()));
  }

  #take(): Uint8Array {
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    this.#length = 0;
    return whole;
  }
}
