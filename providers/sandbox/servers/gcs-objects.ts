import { randomBytes } from 'node:crypto';
import { crc32cOf } from './gcs-checksum.ts';

export interface StoredObject {
  name: string;
  bytes: Buffer;
  generation: number;
  createdAt: Date;
  /** Listings that do not show it yet. */
  hiddenListings: number;
}

interface UploadSession {
  bucket: string;
  name: string;
  chunks: Buffer[];
  size: number;
}

/** Buckets, objects and resumable sessions, in memory. */
export class ObjectStore {
  readonly #buckets = new Map<string, Map<string, StoredObject>>();
  readonly #sessions = new Map<string, UploadSession>();
  #lastGeneration = 1_795_000_000_000_000;

  /** Makes a bucket; objects in buckets that nobody made answer 404. */
  makeBucket(bucket: string): void {
    if (!this.#buckets.has(bucket)) this.#buckets.set(bucket, new Map());
  }

  hasBucket(bucket: string): boolean {
    return this.#buckets.has(bucket);
  }

  put(bucket: string, name: string, bytes: Buffer, hiddenListings = 0): StoredObject {
    this.#lastGeneration += 1;
    const object = { name, bytes, generation: this.#lastGeneration, createdAt: new Date(), hiddenListings };
    this.#buckets.get(bucket)?.set(name, object);
    return object;
  }

  get(bucket: string, name: string): StoredObject | undefined {
    return this.#buckets.get(bucket)?.get(name);
  }

  remove(bucket: string, name: string): boolean {
    return this.#buckets.get(bucket)?.delete(name) ?? false;
  }

  /** The objects below a prefix by name, without those that a listing does not show yet. */
  list(bucket: string, prefix: string): StoredObject[] {
    const all = [...(this.#buckets.get(bucket)?.values() ?? [])].filter(({ name }) => name.startsWith(prefix));
    const shown = all.filter(({ hiddenListings }) => hiddenListings === 0);
    for (const object of all) object.hiddenListings = Math.max(0, object.hiddenListings - 1);
    return shown.sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  openSession(bucket: string, name: string): string {
    const id = randomBytes(16).toString('hex');
    this.#sessions.set(id, { bucket, name, chunks: [], size: 0 });
    return id;
  }

  session(id: string): UploadSession | undefined {
    return this.#sessions.get(id);
  }

  /** Makes the object of a complete session. */
  close(id: string): StoredObject | undefined {
    const session = this.#sessions.get(id);
    if (session === undefined) return undefined;
    return this.put(session.bucket, session.name, Buffer.concat(session.chunks));
  }

  loseSessions(): void {
    this.#sessions.clear();
  }
}

/** An object as the JSON API describes it. */
export function describeObject(bucket: string, object: StoredObject): object {
  const { name, bytes, generation, createdAt } = object;
  return {
    kind: 'storage#object',
    id: `${bucket}/${name}/${generation}`,
    name,
    bucket,
    generation: String(generation),
    size: String(bytes.length),
    crc32c: crc32cOf(bytes),
    timeCreated: createdAt.toISOString(),
  };
}
