import { type BatchCall, ProviderError, type ShardInput } from '../contract.ts';
import { parseAnswer } from '../shared/answer.ts';
import { redirectPolicy } from '../shared/http-fetch.ts';
import {
  type BatchAccess,
  type BlobFiles,
  contextOf,
  failureOfFetch,
  Patience,
} from '../shared/openai-batch-client.ts';
import { fileNameOf, type RemoteFile } from '../shared/openai-batch-object.ts';
import { asBatchFailure } from '../shared/openai-batch-status.ts';
import { pause } from '../shared/openai-batch-upload.ts';
import { badResponse } from '../shared/openai-status.ts';
import { type BlobCredentials, signBlobRequest } from './blob-signing.ts';

export interface BlobSettings extends BlobCredentials {
  container_url: string;
  prefix: string;
}

interface BlobRequest {
  method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  url: string;
  headers?: Record<string, string>;
  body?: Uint8Array<ArrayBuffer>;
  accepted?: readonly number[];
}

/** One block of an input; it is held in memory while it is sent. */
const blockBytes = 8 * 1024 * 1024;
const fruitlessTries = 3;

/** The files of batches as blobs of one container; a file's id is its address, without credentials. */
export function createBlobFiles(settings: BlobSettings): BlobFiles {
  const container = settings.container_url.replace(/\/+$/, '');
  return {
    folder: container,
    upload: (access, input, call) =>
      upload(new Sender(access, settings, call), `${container}/${settings.prefix}`, input),
    remove: (access, id, call) => remove(new Sender(access, settings, call), container, id),
    list: (access, call) => list(new Sender(access, settings, call), container, settings.prefix),
    read: (access, id, call) => read(new Sender(access, settings, call), container, id),
  };
}

/** Sends signed requests to the storage account. */
class Sender {
  readonly access: BatchAccess;
  readonly call: BatchCall;
  readonly #credentials: BlobCredentials;
  readonly #startedMs = performance.now();

  constructor(access: BatchAccess, credentials: BlobCredentials, call: BatchCall) {
    this.access = access;
    this.call = call;
    this.#credentials = credentials;
  }

  /** An answer of an accepted status, its body to come. The caller ends `patience`. Rejects with ProviderError. */
  async open({ method, url, headers = {}, body, accepted = [] }: BlobRequest, patience: Patience): Promise<Response> {
    const { access, call } = this;
    const nowMs = call.nowMs + performance.now() - this.#startedMs;
    const wanted = { method, url: new URL(url), headers, length: body?.length ?? 0 };
    const signed = signBlobRequest(wanted, this.#credentials, nowMs);
    const signals = [patience.signal, call.signal].filter((signal) => signal !== undefined);
    const init = { method, headers: signed.headers, ...(body && { body }) };
    try {
      call.signal?.throwIfAborted();
      const answer = await call.fetch(signed.url, {
        ...init,
        ...redirectPolicy(init),
        signal: AbortSignal.any(signals),
      });
      if (answer.ok || accepted.includes(answer.status)) return answer;
      const text = (await answer.text()).slice(0, 10_000);
      const response = {
        status: answer.status,
        headers: Object.fromEntries(answer.headers),
        body: new TextEncoder().encode(text),
      };
      const failure = access.readers.failureOf(response, parseAnswer(response.body), contextOf(access, call));
      throw new ProviderError(asBatchFailure(failure));
    } catch (error) {
      throw failureOfFetch(error, access, call, patience.isOver);
    }
  }

  /** The whole text of an answer. */
  async ask(request: BlobRequest): Promise<{ status: number; headers: Headers; text: string }> {
    const patience = new Patience(this.call.timeoutMs);
    try {
      const answer = await this.open(request, patience);
      return { status: answer.status, headers: answer.headers, text: await answer.text() };
    } catch (error) {
      throw failureOfFetch(error, this.access, this.call, patience.isOver);
    } finally {
      patience.end();
    }
  }
}

/** Blocks are only a blob once their list is committed: whatever ends before that leaves nothing that can be read. */
async function upload(sender: Sender, folder: string, input: ShardInput): Promise<RemoteFile> {
  const url = folder + fileNameOf(input.token);
  const ids: string[] = [];
  let block = new Uint8Array(Math.min(blockBytes, Math.max(1, input.bytes)));
  let filled = 0;
  const send = async () => {
    const id = btoa(String(ids.length).padStart(6, '0'));
    const query = new URLSearchParams({ comp: 'block', blockid: id });
    await sender.ask({ method: 'PUT', url: `${url}?${query}`, body: block.subarray(0, filled) });
    ids.push(id);
    filled = 0;
  };
  for await (const chunk of input.open()) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + block.length - filled);
      block.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled === block.length) await send();
    }
  }
  if (filled > 0) await send();
  block = new Uint8Array();
  const blocks = ids.map((id) => `<Latest>${id}</Latest>`).join('');
  const list = new TextEncoder().encode(`<?xml version="1.0" encoding="utf-8"?><BlockList>${blocks}</BlockList>`);
  // A blob of this token has these lines already; writing it again would fail a batch that is reading it.
  const headers = { 'content-type': 'application/xml', 'if-none-match': '*' };
  const accepted = [409, 412];
  const committed = await sender.ask({ method: 'PUT', url: `${url}?comp=blocklist`, headers, body: list, accepted });
  if (accepted.includes(committed.status)) {
    const held = (await sender.ask({ method: 'HEAD', url })).headers.get('content-length');
    if (held !== String(input.bytes)) {
      const message = `${sender.access.provider}: the container holds another blob under the name of this input.`;
      throw new ProviderError(badResponse(committed.status, message, 'blob_exists'));
    }
  }
  return { id: url, bytes: input.bytes, createdAt: null, status: 'processed', statusDetails: null, token: input.token };
}

async function remove(sender: Sender, container: string, id: string): Promise<boolean> {
  const url = placeOf(sender, container, id);
  return (await sender.ask({ method: 'DELETE', url, accepted: [404] })).status !== 404;
}

/** Inputs as file objects, page by page. */
async function* list(sender: Sender, container: string, prefix: string): AsyncGenerator<object> {
  for (let marker = ''; ; ) {
    const query = new URLSearchParams({ restype: 'container', comp: 'list', prefix, ...(marker && { marker }) });
    const { text } = await sender.ask({ method: 'GET', url: `${container}?${query}` });
    if (!/<\/EnumerationResults>\s*$/.test(text)) {
      throw new ProviderError(
        badResponse(200, `${sender.access.provider}: the list of blobs is no list, or was cut off.`),
      );
    }
    for (const [, blob = ''] of text.matchAll(/<Blob>(.*?)<\/Blob>/gs)) {
      const name = element(blob, 'Name');
      const created = Date.parse(element(blob, 'Creation-Time') || element(blob, 'Last-Modified'));
      yield {
        id: `${container}/${name}`,
        filename: name.slice(prefix.length),
        bytes: Number(element(blob, 'Content-Length')),
        created_at: created / 1000,
      };
    }
    const next = element(text, 'NextMarker');
    if (next === '' || next === marker) return;
    marker = next;
  }
}

/** A blob's bytes; a download that breaks goes on by range. A blob that was never written is empty and not verified. */
async function* read(
  sender: Sender,
  container: string,
  id: string,
): AsyncGenerator<Uint8Array, { isVerified: boolean }> {
  const url = placeOf(sender, container, id);
  const head = await sender.ask({ method: 'HEAD', url, accepted: [404] });
  if (head.status === 404) return { isVerified: id.endsWith('/errors.jsonl') };
  const length = Number(head.headers.get('content-length') ?? Number.NaN);
  const etag = head.headers.get('etag');
  const { access, call } = sender;
  let offset = 0;
  let fruitless = 0;
  while (offset < length) {
    const before = offset;
    const patience = new Patience(call.timeoutMs);
    const headers = { range: `bytes=${offset}-`, ...(etag !== null && { 'if-match': etag }) };
    let trouble = new ProviderError(
      badResponse(200, `${access.provider} ended a download early.`, 'download_incomplete'),
    );
    try {
      const answer = await sender.open({ method: 'GET', url, headers }, patience);
      if (!answer.headers.get('content-range')?.startsWith(`bytes ${offset}-`)) throw wrongPart(access);
      for await (const chunk of answer.body ?? []) {
        offset += chunk.length;
        // The reader may take its time.
        patience.end();
        yield chunk;
        patience.touch();
      }
    } catch (error) {
      trouble = failureOfFetch(error, access, call, patience.isOver);
      if (!['connection', 'timeout', 'server_error', 'overloaded'].includes(trouble.failure.kind)) throw trouble;
    } finally {
      patience.end();
    }
    fruitless = offset > before ? 0 : fruitless + 1;
    if (fruitless >= fruitlessTries) throw trouble;
    if (offset < length) await pause(100 * (fruitless + 1), call.signal);
  }
  if (offset === length) return { isVerified: true };
  throw wrongPart(access);
}

function wrongPart({ provider }: BatchAccess): ProviderError {
  return new ProviderError(badResponse(200, `${provider} answered another part of a blob than was asked for.`));
}

/** Credentials go to the operator's container only, whatever address the service names. */
function placeOf({ access }: Sender, container: string, id: string): string {
  if (URL.canParse(id) && new URL(id).href.startsWith(`${new URL(container).href}/`)) return id;
  throw new ProviderError(badResponse(200, `${access.provider} names a blob outside of the container.`));
}

function element(xml: string, name: string): string {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? '';
  return text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&');
}
