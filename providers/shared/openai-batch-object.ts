import { type Endpoint, parseEndpoint } from '../../src/protocol/endpoint.ts';
import { isFields } from './error-body.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The metadata key that carries a shard's token. */
export const tokenKey = 'weir_token';

const fileName = /^weir-([a-z0-9-]{1,48})\.jsonl$/;

export function fileNameOf(token: string): string {
  return `weir-${token}.jsonl`;
}

export interface RemoteError {
  code: string | null;
  message: string | null;
  param: string | null;
  line: number | null;
}

/** A batch object of OpenAI's dialects, with their differences levelled. */
export interface RemoteBatch {
  id: string;
  status: string;
  /** null where it is missing or empty. */
  inputFileId: string | null;
  outputFileId: string | null;
  errorFileId: string | null;
  endpoint: Endpoint | null;
  /** Unix seconds. */
  createdAt: number | null;
  endedAt: number | null;
  counts: { total: number; succeeded: number; failed: number } | null;
  /** Only OpenAI tells it. */
  usage?: { inputTokens: number; outputTokens: number };
  errors: RemoteError[];
  token: string | null;
}

export interface RemoteFile {
  id: string;
  /** null when it is not said, or 0. */
  bytes: number | null;
  createdAt: number | null;
  status: string;
  statusDetails: string | null;
  token: string | null;
}

/**
 * Reads a batch object: OpenAI's; Azure's with `""` for ids, ISO times, capital words and null counts; Together's under `job`;
 * Mistral's with `input_files`, `output_file` and counts beside each other. null when it is none.
 */
export function readBatch(json: unknown): RemoteBatch | null {
  const fields = isFields(json) && isFields(json.job) ? json.job : json;
  if (!isFields(fields)) return null;
  const id = readText(fields.id);
  const status = readText(fields.status);
  if (id === null || status === null) return null;
  const inputs: unknown = Array.isArray(fields.input_files) ? fields.input_files[0] : undefined;
  const endpoint = readText(fields.endpoint);
  return {
    id,
    status,
    inputFileId: readText(fields.input_file_id) ?? readText(inputs) ?? readText(fields.input_blob),
    outputFileId: readText(fields.output_file_id) ?? readText(fields.output_file) ?? readBlob(fields, 'output_blob'),
    errorFileId: readText(fields.error_file_id) ?? readText(fields.error_file) ?? readBlob(fields, 'error_blob'),
    endpoint: endpoint === null ? null : (parseEndpoint(endpoint) ?? null),
    createdAt: readTime(fields.created_at),
    endedAt:
      readTime(fields.completed_at) ??
      readTime(fields.expired_at) ??
      readTime(fields.cancelled_at) ??
      readTime(fields.failed_at) ??
      readTime(fields.finalizing_at),
    counts: readCounts(fields),
    ...readUsage(fields),
    errors: readErrors(fields),
    token: isFields(fields.metadata) ? readToken(fields.metadata[tokenKey]) : null,
  };
}

export function readFile(json: unknown): RemoteFile | null {
  if (!isFields(json)) return null;
  const id = readText(json.id);
  if (id === null) return null;
  const name = fileName.exec(readText(json.filename) ?? '');
  return {
    id,
    bytes: typeof json.bytes === 'number' && json.bytes > 0 ? json.bytes : null,
    createdAt: readTime(json.created_at),
    status: (readText(json.status) ?? 'processed').toLowerCase(),
    statusDetails: readText(json.status_details),
    token: name?.[1] ?? null,
  };
}

/** The items of a list answer: `{data}`, Azure's `{value}`, or a bare list. null when it is none. */
export function readList(json: unknown): unknown[] | null {
  if (Array.isArray(json)) return json;
  if (!isFields(json)) return null;
  const list = json.data ?? json.value;
  return Array.isArray(list) ? list : null;
}

function readText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** Azure names the blobs of a batch that never ran, too. */
function readBlob(fields: Fields, name: 'output_blob' | 'error_blob'): string | null {
  const counts = readCounts(fields);
  const hasRun = counts !== null && counts.succeeded + counts.failed > 0;
  return /^failed$/i.test(readText(fields.status) ?? '') && !hasRun ? null : readText(fields[name]);
}

function readToken(value: unknown): string | null {
  return typeof value === 'string' && /^[a-z0-9-]{1,48}$/.test(value) ? value : null;
}

/** Unix seconds from seconds, milliseconds or an ISO text. */
function readTime(value: unknown): number | null {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value > 1e11 ? value / 1000 : value;
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT/.test(value)) return null;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? null : ms / 1000;
}

/** null while the total is not known: OpenAI and Azure report 0 or null until the file is validated. */
function readCounts(fields: Fields): RemoteBatch['counts'] {
  const counts = isFields(fields.request_counts) ? fields.request_counts : fields;
  const total = readCount(counts.total ?? counts.total_requests);
  const failed = readCount(counts.failed ?? counts.failed_requests) ?? 0;
  const succeeded = readCount(counts.succeeded_requests ?? counts.completed);
  return total === null || total === 0 || succeeded === null ? null : { total, succeeded, failed };
}

function readUsage({ usage }: Fields): Pick<RemoteBatch, 'usage'> {
  if (!isFields(usage)) return {};
  const [inputTokens, outputTokens] = [readCount(usage.input_tokens), readCount(usage.output_tokens)];
  return inputTokens === null || outputTokens === null ? {} : { usage: { inputTokens, outputTokens } };
}

function readCount(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** `errors: {data: [...]}`, a bare list of objects or texts, or one `error`. */
function readErrors(fields: Fields): RemoteError[] {
  const { errors, error } = fields;
  const list: unknown = isFields(errors) ? errors.data : (errors ?? (error ? [error] : []));
  return Array.isArray(list) ? list.map(readError) : [];
}

function readError(value: unknown): RemoteError {
  if (!isFields(value)) return { code: null, message: readText(value), param: null, line: null };
  const line = readCount(value.line);
  return {
    code: readText(value.code),
    message: readText(value.message),
    param: readText(value.param),
    line: line === 0 ? null : line,
  };
}
