import type { ReceivedRequest } from './s3-listening.ts';
import type { S3Settings } from './s3-settings.ts';
import type { MultipartUpload, ObjectStore, StoredObject } from './s3-store.ts';
import { element, xmlDocument } from './s3-xml.ts';

/** Parts below this are refused at completion, except the last. */
export const leastPartBytes = 5 * 1024 * 1024;

export interface S3Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer | string;
}

export interface S3Request {
  operation: string;
  key: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  body: Buffer;
}

export function s3Error(status: number, code: string, message: string): S3Answer {
  const content = element('Code', code) + element('Message', message) + element('RequestId', 'SIM');
  return { status, headers: { 'content-type': 'application/xml' }, body: `<Error>${content}</Error>` };
}

/** The operation that a request means; null for one that this server does not know. */
export function operationOf({ method, url }: ReceivedRequest, key: string): string | null {
  const query = url.searchParams;
  if (key === '') {
    if (method !== 'GET') return null;
    return query.has('uploads') ? 'ListMultipartUploads' : query.get('list-type') === '2' ? 'ListObjectsV2' : null;
  }
  switch (method) {
    case 'PUT':
      return query.has('partNumber') ? 'UploadPart' : 'PutObject';
    case 'POST':
      return query.has('uploads') ? 'CreateMultipartUpload' : query.has('uploadId') ? 'CompleteMultipartUpload' : null;
    case 'DELETE':
      return query.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'GET':
      return 'GetObject';
    case 'HEAD':
      return 'HeadObject';
    default:
      return null;
  }
}

/** Answers one operation; GetObject is cut by whoever sends it. */
export function operate(store: ObjectStore, settings: S3Settings, request: S3Request, nowMs: number): S3Answer {
  const { operation, key, query, headers, body } = request;
  const encryption = headers['x-amz-server-side-encryption-aws-kms-key-id'] ?? null;
  switch (operation) {
    case 'PutObject':
      return empty({ etag: store.put(key, body, nowMs, { encryption }).etag });
    case 'CreateMultipartUpload': {
      const { id } = store.begin(key, nowMs, encryption);
      const content = element('Bucket', settings.bucket) + element('Key', key) + element('UploadId', id);
      return xml(xmlDocument('InitiateMultipartUploadResult', content));
    }
    case 'GetObject':
    case 'HeadObject':
      return readObject(store.objects.get(key), settings, headers);
    case 'DeleteObject':
      store.objects.delete(key);
      return { status: 204, headers: {}, body: '' };
    case 'ListObjectsV2':
      return listObjects(store, settings, query, nowMs);
    case 'ListMultipartUploads':
      return listUploads(store, settings, query.get('prefix') ?? '');
    default:
      return onUpload(store, settings, request, nowMs);
  }
}

function onUpload(store: ObjectStore, settings: S3Settings, request: S3Request, nowMs: number): S3Answer {
  const { operation, key, query, body } = request;
  const upload = store.uploads.get(query.get('uploadId') ?? '');
  if (upload === undefined || upload.key !== key) {
    return s3Error(404, 'NoSuchUpload', 'The specified upload does not exist.');
  }
  if (operation === 'UploadPart') {
    upload.parts.set(Number(query.get('partNumber')), body);
    return empty({ etag: `"part-${query.get('partNumber')}-${body.length}"` });
  }
  if (operation === 'AbortMultipartUpload') {
    store.uploads.delete(upload.id);
    return { status: 204, headers: {}, body: '' };
  }
  return complete(store, settings, upload, body.toString(), nowMs);
}

function complete(
  store: ObjectStore,
  settings: S3Settings,
  upload: MultipartUpload,
  body: string,
  nowMs: number,
): S3Answer {
  const numbers = [...body.matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map((match) => Number(match[1]));
  const parts = numbers.map((number) => upload.parts.get(number));
  if (numbers.length === 0 || parts.includes(undefined)) return s3Error(400, 'InvalidPart', 'A part is missing.');
  const whole = parts.filter((part) => part !== undefined);
  if (whole.slice(0, -1).some((part) => part.length < leastPartBytes)) {
    return s3Error(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size');
  }
  store.uploads.delete(upload.id);
  const { etag } = store.put(upload.key, Buffer.concat(whole), nowMs, { encryption: upload.encryption });
  const content = element('Bucket', settings.bucket) + element('Key', upload.key) + element('ETag', etag);
  return xml(xmlDocument('CompleteMultipartUploadResult', content));
}

function readObject(object: StoredObject | undefined, settings: S3Settings, headers: Record<string, string>): S3Answer {
  if (object === undefined) return s3Error(404, 'NoSuchKey', 'The specified key does not exist.');
  const { body, etag, modifiedMs } = object;
  if (headers['if-match'] !== undefined && headers['if-match'] !== etag) {
    return s3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
  }
  const common = {
    etag,
    'accept-ranges': 'bytes',
    'last-modified': new Date(modifiedMs).toUTCString(),
    'content-type': 'application/octet-stream',
  };
  const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
  if (range === null || settings.ignore_range) return { status: 200, headers: common, body };
  const first = Number(range[1]);
  const last = range[2] === '' ? body.length - 1 : Math.min(Number(range[2]), body.length - 1);
  if (first > last) return s3Error(416, 'InvalidRange', 'The requested range is not satisfiable');
  const contentRange = `bytes ${first}-${last}/${body.length}`;
  return { status: 206, headers: { ...common, 'content-range': contentRange }, body: body.subarray(first, last + 1) };
}

function listObjects(store: ObjectStore, settings: S3Settings, query: URLSearchParams, nowMs: number): S3Answer {
  const prefix = query.get('prefix') ?? '';
  const after = Buffer.from(query.get('continuation-token') ?? '', 'base64').toString();
  const keys = store.visibleKeys(prefix, nowMs).filter((key) => after === '' || key > after);
  const page = keys.slice(0, Math.min(settings.page_size, Number(query.get('max-keys') ?? 1000)));
  const isTruncated = page.length < keys.length;
  const contents = page.map((key) => {
    const object = store.objects.get(key);
    const time = new Date(object?.modifiedMs ?? 0).toISOString();
    const fields = element('Key', key) + element('LastModified', time) + element('ETag', object?.etag ?? '');
    return `<Contents>${fields}${element('Size', object?.body.length ?? 0)}</Contents>`;
  });
  const next = isTruncated ? element('NextContinuationToken', Buffer.from(page.at(-1) ?? '').toString('base64')) : '';
  const head = element('Name', settings.bucket) + element('Prefix', prefix) + element('KeyCount', page.length);
  return xml(xmlDocument('ListBucketResult', head + element('IsTruncated', isTruncated) + next + contents.join('')));
}

function listUploads(store: ObjectStore, settings: S3Settings, prefix: string): S3Answer {
  const uploads = [...store.uploads.values()]
    .filter(({ key }) => key.startsWith(prefix))
    .map(({ key, id, begunMs }) => {
      const begun = element('Initiated', new Date(begunMs).toISOString());
      return `<Upload>${element('Key', key)}${element('UploadId', id)}${begun}</Upload>`;
    });
  const head = element('Bucket', settings.bucket) + element('IsTruncated', false);
  return xml(xmlDocument('ListMultipartUploadsResult', head + uploads.join('')));
}

function xml(body: string): S3Answer {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}

function empty(headers: Record<string, string>): S3Answer {
  return { status: 200, headers, body: '' };
}
