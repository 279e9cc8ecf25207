import type { R2Bucket, R2MultipartUpload, R2Object, R2UploadedPart } from '../../src/files/r2.ts';

const partBytesMin = 5 * 1024 * 1024;

/** An R2 bucket in memory, as strict as the real one about ranges, parts and pages. `pageSize` cuts its lists. */
export class MemoryBucket implements R2Bucket {
  readonly #objects = new Map<string, { bytes: Uint8Array<ArrayBuffer>; uploaded: Date }>();
  readonly #pageSize: number;
  openUploads = 0;

  constructor(pageSize: number) {
    this.#pageSize = pageSize;
  }

  async head(key: string): Promise<R2Object | null> {
    const object = this.#objects.get(key);
    return object === undefined ? null : { key, size: object.bytes.length, uploaded: object.uploaded };
  }

  async get(key: string, options?: { range: { offset: number; length: number } }) {
    const object = this.#objects.get(key);
    if (object === undefined) return null;
    let bytes = object.bytes;
    if (options !== undefined) {
      const { offset, length } = options.range;
      if (offset >= bytes.length || length <= 0) throw new Error('get: The requested range is not satisfiable (10039)');
      bytes = bytes.slice(offset, offset + length);
    }
    return {
      key,
      size: object.bytes.length,
      uploaded: object.uploaded,
      body: new Blob([bytes]).stream(),
      arrayBuffer: async () => bytes.slice().buffer,
    };
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    this.#objects.set(key, { bytes: new Uint8Array(value), uploaded: new Date() });
  }

  async delete(key: string): Promise<void> {
    this.#objects.delete(key);
  }

  async list({ prefix, startAfter, cursor }: { prefix: string; startAfter?: string; cursor?: string }) {
    const after = cursor ?? startAfter ?? '';
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, this.#pageSize);
    const objects = page.map((key) => {
      const { bytes, uploaded } = this.#objects.get(key) as { bytes: Uint8Array; uploaded: Date };
      return { key, size: bytes.length, uploaded };
    });
    const last = page.at(-1);
    return keys.length > page.length && last !== undefined
      ? { objects, truncated: true, cursor: last }
      : { objects, truncated: false };
  }

  async createMultipartUpload(key: string): Promise<R2MultipartUpload> {
    const parts = new Map<number, Uint8Array>();
    let open = true;
    this.openUploads += 1;
    const end = () => {
      if (!open) throw new Error('The specified multipart upload does not exist. (10024)');
      open = false;
      this.openUploads -= 1;
    };
    return {
      uploadPart: async (partNumber, value) => {
        if (!open) throw new Error('The specified multipart upload does not exist. (10024)');
        parts.set(partNumber, new Uint8Array(value));
        return { partNumber, etag: `etag-${partNumber}` };
      },
      complete: async (chosen: R2UploadedPart[]) => {
        const chunks = chosen.map(({ partNumber }) => parts.get(partNumber) ?? new Uint8Array(0));
        const size = chunks[0]?.length ?? 0;
        const uneven = chunks.slice(0, -1).some((chunk) => chunk.length !== size || chunk.length < partBytesMin);
        if (uneven) throw new Error('All non-trailing parts must have the same length. (10048)');
        end();
        await this.put(key, Buffer.concat(chunks));
      },
      abort: async () => end(),
    };
  }
}
