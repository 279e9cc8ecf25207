import { ProviderError } from '../contract.ts';
import { Crc32c } from './gcs-crc32c.ts';
import type { GcsObject } from './gcs-object.ts';
import { type GoogleCall, type GoogleClient, isPassing, pauseAfter } from './google-auth-fetch.ts';
import { badResponse } from './openai-status.ts';

/** Cuts in a row that bring nothing new. */
const mostFruitlessTries = 4;

/**
 * Reads an object to its stated length. A cut is gone on from with a Range of the same generation; a server that ignores
 * the Range has its first bytes skipped. Anything but the stated bytes rejects with ProviderError.
 */
export async function* downloadObject(
  client: GoogleClient,
  objectUrl: string,
  object: GcsObject,
  call: GoogleCall,
): AsyncGenerator<Uint8Array> {
  const sum = new Crc32c();
  let position = 0;
  let fruitless = 0;
  while (position < object.bytes) {
    const before = position;
    try {
      for await (const chunk of readFrom(client, objectUrl, object, position, call)) {
        if (position + chunk.length > object.bytes) throw wrongContent(client, 'more bytes than it stated');
        position += chunk.length;
        sum.add(chunk);
        yield chunk;
      }
    } catch (error) {
      const trouble = client.broken(error, call);
      if (!isPassing(trouble) || (position === before && fruitless + 1 >= mostFruitlessTries)) throw trouble;
    }
    if (position >= object.bytes) break;
    fruitless = position > before ? 0 : fruitless + 1;
    if (fruitless >= mostFruitlessTries) throw wrongContent(client, 'fewer bytes than it stated');
    await pauseAfter(fruitless, client, call);
  }
  const isSame = object.crc32c === null || object.crc32c === sum.digest();
  if (!isSame) throw wrongContent(client, 'bytes that do not match their checksum');
}

async function* readFrom(
  client: GoogleClient,
  objectUrl: string,
  object: GcsObject,
  position: number,
  call: GoogleCall,
): AsyncGenerator<Uint8Array> {
  const idle = new IdleTimer(call);
  const query = new URLSearchParams({
    alt: 'media',
    ...(object.generation !== '' && { generation: object.generation }),
  });
  const headers = { 'accept-encoding': 'identity', ...(position > 0 && { range: `bytes=${position}-` }) };
  try {
    const response = await client.send({ method: 'GET', url: `${objectUrl}?${query}`, headers }, call, idle.signal);
    if (response.status !== 200 && response.status !== 206) throw await client.failure(response, call);
    let skipped = position - startOf(response, position);
    for await (const chunk of response.body ?? []) {
      idle.restart();
      const fresh = chunk.subarray(Math.min(skipped, chunk.length));
      skipped -= chunk.length - fresh.length;
      if (fresh.length > 0) yield fresh;
      // Whoever reads may take its time.
      idle.restart();
    }
  } finally {
    idle.stop();
  }
}

/** Where the answer begins in the object: after an ignored Range at 0. */
function startOf(response: Response, asked: number): number {
  if (response.status === 200) return 0;
  const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
  return start !== undefined && Number(start) <= asked ? Number(start) : asked;
}

function wrongContent(client: GoogleClient, what: string): ProviderError {
  return new ProviderError(badResponse(200, `${client.provider}: the storage sent ${what}.`, 'damaged_download'));
}

/** Ends an exchange that stands still for the call's timeout; a long one that moves goes on. */
class IdleTimer {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #timeoutMs: number;
  #timer: ReturnType<typeof setTimeout>;

  constructor(call: GoogleCall) {
    const { signal } = this.#controller;
    this.signal = call.signal === undefined ? signal : AbortSignal.any([signal, call.signal]);
    this.#timeoutMs = call.timeoutMs;
    this.#timer = this.#start();
  }

  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }

  #start(): ReturnType<typeof setTimeout> {
    const expire = () => this.#controller.abort(new DOMException('no bytes in time', 'TimeoutError'));
    return setTimeout(expire, this.#timeoutMs);
  }
}
