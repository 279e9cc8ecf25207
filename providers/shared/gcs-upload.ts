import { ProviderError } from '../contract.ts';
import { isFields } from './error-body.ts';
import { Crc32c } from './gcs-crc32c.ts';
import {
  deadlineOf,
  foreignAddress,
  type GoogleCall,
  type GoogleClient,
  isPassing,
  pauseAfter,
} from './google-auth-fetch.ts';
import { badResponse } from './openai-status.ts';

export interface GcsUpload {
  endpoint: string;
  bucket: string;
  name: string;
  contentType: string;
}

/** What is held in memory: a multiple of 256 KiB, as the protocol demands of all chunks but the last. */
const chunkBytes = 8 * 1024 * 1024;
const mostTries = 5;

/** The session is gone: the upload must begin anew. */
class SessionLost extends Error {}

/**
 * A resumable upload (Cloud Storage JSON API): a session, chunks, and after each cut the question how far they came. A
 * lost session is opened once more with the content from its start. The stored size and checksum are compared at the end.
 */
export async function uploadObject(
  client: GoogleClient,
  upload: GcsUpload,
  open: () => AsyncIterable<Uint8Array>,
  call: GoogleCall,
): Promise<void> {
  try {
    await uploadOnce(client, upload, open(), call);
  } catch (error) {
    if (!(error instanceof SessionLost)) throw client.broken(error, call);
    await uploadOnce(client, upload, open(), call).catch((again: unknown) => {
      throw again instanceof SessionLost ? lostAgain(client) : client.broken(again, call);
    });
  }
}

async function uploadOnce(
  client: GoogleClient,
  upload: GcsUpload,
  content: AsyncIterable<Uint8Array>,
  call: GoogleCall,
): Promise<void> {
  const session = new UploadSession(client, await openSession(client, upload, call), call);
  const sum = new Crc32c();
  const chunk = new Uint8Array(chunkBytes);
  let filled = 0;
  for await (const bytes of content) {
    sum.add(bytes);
    for (let start = 0; start < bytes.length; ) {
      // A full chunk goes only when more follows, so that the last one is never empty.
      if (filled === chunkBytes) {
        await session.put(chunk, false);
        filled = 0;
      }
      const part = bytes.subarray(start, start + chunkBytes - filled);
      chunk.set(part, filled);
      filled += part.length;
      start += part.length;
    }
  }
  const stored = await session.put(chunk.subarray(0, filled), true);
  checkStored(client, stored, session.position, sum.digest());
}

async function openSession(client: GoogleClient, upload: GcsUpload, call: GoogleCall): Promise<string> {
  const { endpoint, bucket, name, contentType } = upload;
  const query = new URLSearchParams({ uploadType: 'resumable', name });
  const request = {
    method: 'POST',
    url: `${endpoint}/upload/storage/v1/b/${bucket}/o?${query}`,
    headers: { 'content-type': 'application/json', 'x-upload-content-type': contentType },
    body: JSON.stringify({ contentType }),
  } as const;
  const response = await retried(client, call, () => client.send(request, call, deadlineOf(call)));
  if (!response.ok) throw await client.failure(response, call);
  await response.body?.cancel().catch(() => {});
  const location = response.headers.get('location') ?? '';
  const isOurs = URL.canParse(location) && new URL(location).origin === new URL(endpoint).origin;
  if (!isOurs) throw foreignAddress(client.provider, 'an upload address');
  return location;
}

/** One resumable session: `position` is what it has surely stored. */
class UploadSession {
  position = 0;
  readonly #client: GoogleClient;
  readonly #url: string;
  readonly #call: GoogleCall;

  constructor(client: GoogleClient, url: string, call: GoogleCall) {
    this.#client = client;
    this.#url = url;
    this.#call = call;
  }

  /** Stores one chunk, however often it is cut; answers the object's description after the last one. */
  async put(chunk: Uint8Array<ArrayBuffer>, isLast: boolean): Promise<unknown> {
    const start = this.position;
    const end = start + chunk.length;
    for (let tries = 1; ; tries += 1) {
      const rest = chunk.subarray(this.position - start);
      const total = isLast ? String(end) : '*';
      const range = rest.length === 0 ? `bytes */${total}` : `bytes ${this.position}-${end - 1}/${total}`;
      const before = this.position;
      try {
        const response = await this.#send(range, rest);
        const stored = await this.#read(response, start, end);
        if (stored !== null) return stored;
        if (this.position === end && !isLast) return null;
      } catch (error) {
        if (error instanceof SessionLost) throw error;
        const trouble = this.#client.broken(error, this.#call);
        if (!isPassing(trouble) || tries >= mostTries) throw trouble;
        await pauseAfter(tries, this.#client, this.#call);
        const stored = await this.#ask(start, end, isLast ? String(end) : '*').catch(ignorePassing);
        if (stored !== null) return stored;
        if (this.position === end && !isLast) return null;
      }
      if (this.position > before) tries = 0;
      else if (tries >= mostTries) throw stuck(this.#client);
    }
  }

  /** How far the session came, after a cut. */
  async #ask(start: number, end: number, total: string): Promise<unknown> {
    return this.#read(await this.#send(`bytes */${total}`, new Uint8Array()), start, end);
  }

  #send(range: string, body: Uint8Array<ArrayBuffer>): Promise<Response> {
    const headers = { 'content-range': range, 'content-type': 'application/octet-stream' };
    return this.#client.send({ method: 'PUT', url: this.#url, headers, body }, this.#call, deadlineOf(this.#call));
  }

  /** Reads 308 (so far) or 200/201 (the object); rejects for anything else. */
  async #read(response: Response, start: number, end: number): Promise<unknown> {
    if (response.status === 404 || response.status === 410) throw new SessionLost();
    if (response.status === 308) {
      await response.body?.cancel().catch(() => {});
      const last = /^bytes=0-(\d+)$/.exec(response.headers.get('range') ?? '')?.[1];
      const stored = last === undefined ? 0 : Number(last) + 1;
      // Less than what an earlier chunk was acknowledged for: those bytes are no longer here to be sent.
      if (stored < start || stored > end) throw new SessionLost();
      this.position = stored;
      return null;
    }
    if (!response.ok) throw await this.#client.failure(response, this.#call);
    this.position = end;
    return response.json();
  }
}

function ignorePassing(error: unknown): null {
  if (error instanceof SessionLost) throw error;
  return null;
}

/** Sends again what has no effect until it is answered. */
async function retried(client: GoogleClient, call: GoogleCall, send: () => Promise<Response>): Promise<Response> {
  for (let tries = 1; ; tries += 1) {
    try {
      const response = await send();
      if (tries >= mostTries || (response.status < 500 && response.status !== 429 && response.status !== 408))
        return response;
      await response.body?.cancel().catch(() => {});
    } catch (error) {
      const trouble = client.broken(error, call);
      if (!isPassing(trouble) || tries >= mostTries) throw trouble;
    }
    await pauseAfter(tries, client, call);
  }
}

function checkStored(client: GoogleClient, stored: unknown, bytes: number, digest: string): void {
  const { size, crc32c } = isFields(stored) ? stored : {};
  const isSame = Number(size) === bytes && (crc32c === undefined || crc32c === digest);
  if (isSame) return;
  const message = `${client.provider}: the storage holds other bytes than were sent.`;
  throw new ProviderError(badResponse(200, message, 'damaged_upload'));
}

function stuck(client: GoogleClient): ProviderError {
  return new ProviderError(badResponse(308, `${client.provider}: the storage takes no more bytes.`, 'upload_stuck'));
}

function lostAgain(client: GoogleClient): ProviderError {
  const failure = badResponse(410, `${client.provider}: the storage lost the upload twice.`, 'upload_lost');
  return new ProviderError({ ...failure, kind: 'server_error' });
}
