import { isFields } from './error-body.ts';
import { downloadObject } from './gcs-download.ts';
import { type GcsObject, readObject } from './gcs-object.ts';
import { type GcsUpload, uploadObject } from './gcs-upload.ts';
import type { GoogleCall, GoogleClient } from './google-auth-fetch.ts';

/** One place of one bucket in Cloud Storage, over its JSON API. Members reject with ProviderError. */
export class GcsBucket {
  readonly bucket: string;
  readonly #client: GoogleClient;
  readonly #endpoint: string;

  constructor(client: GoogleClient, endpoint: string, bucket: string) {
    this.#client = client;
    this.#endpoint = endpoint.replace(/\/+$/, '');
    this.bucket = bucket;
  }

  uri(name: string): string {
    return `gs://${this.bucket}/${name}`;
  }

  /** The object's name if the address is in this bucket below `prefix`, else null. */
  nameOf(uri: string, prefix: string): string | null {
    const start = `gs://${this.bucket}/`;
    if (!uri.startsWith(start)) return null;
    const name = uri.slice(start.length);
    return name.startsWith(prefix) && !name.split('/').includes('..') ? name : null;
  }

  /** Writes an object from a stream in bounded memory; goes on where it was cut. `open` may be called twice. */
  async upload(name: string, open: () => AsyncIterable<Uint8Array>, call: GoogleCall): Promise<void> {
    const target: GcsUpload = { endpoint: this.#endpoint, bucket: this.bucket, name, contentType: 'application/jsonl' };
    await uploadObject(this.#client, target, open, call);
  }

  /** The bytes of an object, whole or not at all: cuts are resumed, length and checksum are checked. */
  download(object: GcsObject, call: GoogleCall): AsyncGenerator<Uint8Array> {
    return downloadObject(this.#client, this.#objectUrl(object.name), object, call);
  }

  /** All objects below a prefix, in the order of their names. */
  async *list(prefix: string, call: GoogleCall): AsyncGenerator<GcsObject> {
    for (let pageToken: string | null = ''; pageToken !== null; ) {
      const query = new URLSearchParams({
        prefix,
        maxResults: '1000',
        fields: 'items(name,size,generation,crc32c,timeCreated),nextPageToken',
        ...(pageToken !== '' && { pageToken }),
      });
      const url = `${this.#endpoint}/storage/v1/b/${this.bucket}/o?${query}`;
      const page = await this.#client.json({ method: 'GET', url }, call);
      const { items, nextPageToken } = isFields(page) ? page : {};
      for (const item of Array.isArray(items) ? items : []) {
        const object = readObject(item);
        if (object !== null) yield object;
      }
      pageToken = typeof nextPageToken === 'string' && nextPageToken !== '' ? nextPageToken : null;
    }
  }

  /** Removes an object; false when it was gone already. */
  async remove(name: string, call: GoogleCall): Promise<boolean> {
    const signal = AbortSignal.timeout(call.timeoutMs);
    const response = await this.#client.send({ method: 'DELETE', url: this.#objectUrl(name) }, call, signal);
    if (response.status !== 404 && !response.ok) throw await this.#client.failure(response, call);
    await response.body?.cancel().catch(() => {});
    return response.ok;
  }

  #objectUrl(name: string): string {
    return `${this.#endpoint}/storage/v1/b/${this.bucket}/o/${encodeURIComponent(name)}`;
  }
}
