import { createHash, randomUUID } from 'node:crypto';

export interface StoredObject {
  key: string;
  body: Buffer;
  etag: string;
  modifiedMs: number;
  /** Before this time a listing does not show it. */
  visibleFromMs: number;
  encryption: string | null;
}

export interface MultipartUpload {
  id: string;
  key: string;
  begunMs: number;
  encryption: string | null;
  parts: Map<number, Buffer>;
}

/** One bucket in memory. */
export class ObjectStore {
  readonly objects = new Map<string, StoredObject>();
  readonly uploads = new Map<string, MultipartUpload>();

  put(key: string, body: Buffer, nowMs: number, changes: Partial<StoredObject> = {}): StoredObject {
    const etag = `"${createHash('md5').update(body).digest('hex')}"`;
    const object = { key, body, etag, modifiedMs: nowMs, visibleFromMs: nowMs, encryption: null, ...changes };
    this.objects.set(key, object);
    return object;
  }

  begin(key: string, nowMs: number, encryption: string | null): MultipartUpload {
    const upload = { id: randomUUID(), key, begunMs: nowMs, encryption, parts: new Map<number, Buffer>() };
    this.uploads.set(upload.id, upload);
    return upload;
  }

  /** The keys that a listing shows, in S3's order (UTF-8 bytes). */
  visibleKeys(prefix: string, nowMs: number): string[] {
    return [...this.objects.values()]
      .filter(({ key, visibleFromMs }) => key.startsWith(prefix) && visibleFromMs <= nowMs)
      .map(({ key }) => key)
      .sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
  }
}
