import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isRecord } from './answer.ts';
import { sendContent } from './openai-batch-content.ts';
import type { Operation } from './openai-batch-settings.ts';
import type { BatchStore } from './openai-batch-store.ts';

/** Blocks that no list has committed yet, by account, blob and block id. */
const staged = new WeakMap<BatchStore, Map<string, Buffer>>();

/** The blobs that an Azure create call names; null when it names none, or what blobs exclude. */
export function blobOrder(body: Record<string, unknown>): { input: string; folder: string } | null {
  const { input_blob: input, output_folder: folder, input_file_id: file } = body;
  if (typeof input !== 'string' || file !== null || body.metadata !== undefined) return null;
  return isRecord(folder) && typeof folder.url === 'string' ? { input, folder: folder.url } : null;
}

/** Azure Blob Storage under `/blobs/<container>`, as far as block blobs need it. A SAS is good when its `sig` is the key. */
export function answerBlob(store: BatchStore, request: IncomingMessage, response: ServerResponse, raw: Buffer) {
  const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
  const method = request.method ?? 'GET';
  const send = (status: number, body = '', headers: Record<string, string> = {}) =>
    response.writeHead(status, { 'content-type': 'application/xml', ...headers }).end(body);
  const refuse = (status: number, code: string, text = code) =>
    send(status, `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${text}</Message></Error>`);
  if (!isAllowed(store, request, url, raw.length)) return refuse(403, 'AuthenticationFailed');
  const fault = method === 'HEAD' ? null : store.takeFault(operationOf(method, url));
  if (fault === 'echo') return refuse(400, 'InvalidHeader', `${JSON.stringify(request.headers)} ${url.search}`);
  if (typeof fault === 'number') return refuse(fault, 'ServerBusy');
  const id = url.origin + url.pathname;
  const comp = url.searchParams.get('comp');
  if (method === 'PUT' && comp === 'block') {
    blocksOf(store).set(`${id} ${url.searchParams.get('blockid')}`, raw);
    return send(201);
  }
  if (method === 'PUT' && comp === 'blocklist') return send(commit(store, id, request, raw));
  if (comp === 'list') return send(200, listOf(store, id, url.searchParams));
  const file = store.files.get(id);
  if (file === undefined) return refuse(404, 'BlobNotFound');
  if (method === 'DELETE') {
    store.files.delete(id);
    store.counters.files_deleted += 1;
    return send(202);
  }
  if (method === 'HEAD') return send(200, '', { 'content-length': String(file.bytes.length) });
  sendContent(store, file, request, response, fault).catch((error: unknown) => response.destroy(error as Error));
  return response;
}

function operationOf(method: string, url: URL): Operation {
  if (method === 'PUT') return 'upload';
  if (method === 'DELETE') return 'delete';
  return url.searchParams.get('comp') === 'list' ? 'files' : 'content';
}

function isAllowed({ settings }: BatchStore, request: IncomingMessage, url: URL, length: number): boolean {
  const { api_key: key } = settings;
  if (key === null) return true;
  const { authorization, ...headers } = request.headers;
  if (authorization === undefined) return url.searchParams.get('sig') === key;
  if (authorization === `Bearer ${key}`) return true;
  const own = Object.entries(headers).filter(([name]) => name.startsWith('x-ms-'));
  const text = [
    request.method,
    ...['', ''],
    length || '',
    '',
    headers['content-type'] ?? '',
    '',
    '',
    headers['if-match'] ?? '',
    headers['if-none-match'] ?? '',
    '',
    headers.range ?? '',
    ...own.map(([name, value]) => `${name}:${value}`).sort(),
    `/${url.hostname.split('.')[0]}${url.pathname}`,
    ...[...url.searchParams].map(([name, value]) => `${name}:${value}`).sort(),
  ].join('\n');
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64');
  return authorization === `SharedKey ${url.hostname.split('.')[0]}:${signature}`;
}

function commit(store: BatchStore, id: string, request: IncomingMessage, raw: Buffer): number {
  if (store.files.has(id) && request.headers['if-none-match'] === '*') return 409;
  const blocks = blocksOf(store);
  const parts: Buffer[] = [];
  for (const [, block] of raw.toString().matchAll(/<Latest>([^<]+)<\/Latest>/g)) {
    const part = blocks.get(`${id} ${block}`);
    if (part === undefined) return 400;
    parts.push(part);
  }
  for (const name of blocks.keys()) if (name.startsWith(`${id} `)) blocks.delete(name);
  const createdMs = Date.now();
  const file = { bytes: Buffer.concat(parts), filename: id, purpose: 'batch', expiresAfter: null, foreign: false };
  store.files.set(id, { ...file, id, createdMs, readyMs: createdMs });
  store.counters.files_uploaded += 1;
  return 201;
}

function listOf(store: BatchStore, container: string, query: URLSearchParams): string {
  const start = `${container}/${query.get('prefix') ?? ''}`;
  const blobs = [...store.files.values()].filter(({ id }) => id.startsWith(start));
  const rows = blobs.map(({ id, bytes, createdMs }) => {
    const date = new Date(createdMs).toUTCString();
    const properties = `<Creation-Time>${date}</Creation-Time><Content-Length>${bytes.length}</Content-Length>`;
    return `<Blob><Name>${id.slice(container.length + 1)}</Name><Properties>${properties}</Properties></Blob>`;
  });
  const list = `<Blobs>${rows.join('')}</Blobs><NextMarker />`;
  return `<?xml version="1.0" encoding="utf-8"?><EnumerationResults>${list}</EnumerationResults>`;
}

function blocksOf(store: BatchStore): Map<string, Buffer> {
  const blocks = staged.get(store) ?? new Map<string, Buffer>();
  staged.set(store, blocks);
  return blocks;
}
