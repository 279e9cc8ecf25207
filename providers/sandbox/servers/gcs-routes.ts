import { describeObject, type ObjectStore } from './gcs-objects.ts';

/** A request to a Google API, read whole. */
export interface GoogleCallRequest {
  method: string;
  url: URL;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Buffer;
}

/** What goes back; `cutAfter` bytes of the body the connection breaks. */
export interface GoogleAnswer {
  status: number;
  headers?: Record<string, string>;
  body: Buffer | string | object | null;
  cutAfter?: number;
  /** The length is not stated. */
  isUnstated?: boolean;
  isDownload?: boolean;
  /** Sent as a stream of these events in place of the body. */
  events?: readonly Record<string, unknown>[];
}

/** What can be wrong with this storage. */
export interface StorageFaults {
  /** Answers a Range with the whole object under 200. */
  ignore_range: boolean;
  /** Objects in one page of a listing. */
  list_page: number;
}

const quantum = 256 * 1024;

/** The JSON API of Cloud Storage, as far as batches need it; null for a path that is none of its own. */
export function answerStorage(
  store: ObjectStore,
  request: GoogleCallRequest,
  faults: StorageFaults,
): GoogleAnswer | null {
  const { method, url } = request;
  const upload = /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/.exec(url.pathname);
  const objects = /^\/storage\/v1\/b\/([^/]+)\/o(?:\/(.+))?$/.exec(url.pathname);
  const bucket = upload?.[1] ?? objects?.[1];
  if (bucket === undefined) return null;
  if (!store.hasBucket(bucket)) return googleError(404, 'NOT_FOUND', `The specified bucket does not exist.`);
  if (upload !== null) return answerUpload(store, bucket, request);
  const name = objects?.[2] === undefined ? null : decodeURIComponent(objects[2]);
  if (name === null) return method === 'GET' ? listObjects(store, bucket, url, faults) : notAllowed();
  if (method === 'GET') return readObject(store, bucket, name, request, faults);
  if (method !== 'DELETE') return notAllowed();
  return store.remove(bucket, name) ? { status: 204, body: null } : noObject(bucket, name);
}

function answerUpload(store: ObjectStore, bucket: string, request: GoogleCallRequest): GoogleAnswer {
  const { method, url, body } = request;
  const name = url.searchParams.get('name') ?? '';
  const id = url.searchParams.get('upload_id');
  if (method === 'PUT' && id !== null) return storeChunk(store, id, request);
  if (method !== 'POST' || name === '') return googleError(400, 'INVALID_ARGUMENT', 'Required object name.');
  if (url.searchParams.get('ifGenerationMatch') === '0' && store.get(bucket, name) !== undefined) {
    return googleError(412, 'FAILED_PRECONDITION', 'At least one of the pre-conditions you specified did not hold.');
  }
  if (url.searchParams.get('uploadType') === 'media') {
    return { status: 200, body: describeObject(bucket, store.put(bucket, name, body)) };
  }
  if (url.searchParams.get('uploadType') !== 'resumable')
    return googleError(400, 'INVALID_ARGUMENT', 'Bad uploadType.');
  const location = new URL(url);
  location.searchParams.set('upload_id', store.openSession(bucket, name));
  return { status: 200, headers: { location: location.href }, body: null };
}

/** One PUT of a resumable session: a chunk, the last chunk, or the question how far it is. */
function storeChunk(store: ObjectStore, id: string, request: GoogleCallRequest): GoogleAnswer {
  const session = store.session(id);
  if (session === undefined) return googleError(404, 'NOT_FOUND', 'Upload session not found.');
  const range = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(String(request.headers['content-range'] ?? ''));
  if (range === null) return googleError(400, 'INVALID_ARGUMENT', 'Failed to parse Content-Range header.');
  const [, first, last, total] = range;
  if (first !== undefined) {
    const length = Number(last) - Number(first) + 1;
    if (Number(first) !== session.size)
      return googleError(503, 'UNAVAILABLE', 'Chunk does not begin where the last ended.');
    const isWhole = request.body.length === length && (total !== '*' || length % quantum === 0);
    if (!isWhole) return googleError(400, 'INVALID_ARGUMENT', 'Chunks must be multiples of 262144 bytes.');
    session.chunks.push(request.body);
    session.size += length;
  }
  const object = total === String(session.size) ? store.close(id) : undefined;
  if (object !== undefined) return { status: 200, body: describeObject(session.bucket, object) };
  const headers: Record<string, string> = session.size === 0 ? {} : { range: `bytes=0-${session.size - 1}` };
  return { status: 308, headers, body: null };
}

function listObjects(store: ObjectStore, bucket: string, url: URL, faults: StorageFaults): GoogleAnswer {
  const start = Number(url.searchParams.get('pageToken') ?? 0);
  const size = Math.min(Number(url.searchParams.get('maxResults') ?? 1000), faults.list_page);
  const all = store.list(bucket, url.searchParams.get('prefix') ?? '');
  const page = all.slice(start, start + size).map((object) => describeObject(bucket, object));
  return {
    status: 200,
    body: {
      kind: 'storage#objects',
      ...(page.length > 0 && { items: page }),
      ...(start + size < all.length && { nextPageToken: String(start + size) }),
    },
  };
}

function readObject(
  store: ObjectStore,
  bucket: string,
  name: string,
  request: GoogleCallRequest,
  faults: StorageFaults,
): GoogleAnswer {
  const { url, headers } = request;
  const object = store.get(bucket, name);
  const asked = url.searchParams.get('generation');
  if (object === undefined || (asked !== null && asked !== String(object.generation))) return noObject(bucket, name);
  if (url.searchParams.get('alt') !== 'media') return { status: 200, body: describeObject(bucket, object) };
  const range = /^bytes=(\d+)-$/.exec(String(headers.range ?? ''));
  const type = { 'content-type': 'application/octet-stream' };
  if (range === null || faults.ignore_range)
    return { status: 200, headers: type, body: object.bytes, isDownload: true };
  const first = Number(range[1]);
  const { length } = object.bytes;
  if (first >= length) return googleError(416, 'OUT_OF_RANGE', 'The requested range cannot be satisfied.');
  const contentRange = `bytes ${first}-${length - 1}/${length}`;
  const rest = object.bytes.subarray(first);
  return { status: 206, headers: { ...type, 'content-range': contentRange }, body: rest, isDownload: true };
}

function noObject(bucket: string, name: string): GoogleAnswer {
  return googleError(404, 'NOT_FOUND', `No such object: ${bucket}/${name}`);
}

function notAllowed(): GoogleAnswer {
  return googleError(405, 'UNIMPLEMENTED', 'Method not allowed.');
}

/** An error as all Google APIs state it. */
export function googleError(status: number, word: string, message: string, details?: object[]): GoogleAnswer {
  return { status, body: { error: { code: status, message, status: word, ...(details && { details }) } } };
}
