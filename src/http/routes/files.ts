import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context as HonoContext } from 'hono';
import { ApiError } from '../../core/api-error.ts';
import { invalidRequest } from '../../core/invalid-request.ts';
import type { Deps } from '../../ports/deps.ts';
import {
  EXPIRES_AFTER_SECONDS_MAX,
  EXPIRES_AFTER_SECONDS_MIN,
  expiresAfterSchema,
  fileDeletedSchema,
  filePageSchema,
  fileSchema,
  UPLOAD_PURPOSES,
} from '../../protocol/file.ts';
import { fileContent } from '../../services/files/content.ts';
import { createFile } from '../../services/files/create.ts';
import { deleteFile } from '../../services/files/delete.ts';
import { fileTooLarge } from '../../services/files/ingest.ts';
import { listFiles } from '../../services/files/list.ts';
import { retrieveFile } from '../../services/files/retrieve.ts';
import { attachment, matchesEtag, parseRange } from '../content-headers.ts';
import { pieceMemory, sendPieces } from '../direct-body.ts';
import type { AppEnv } from '../env.ts';
import { openForm } from '../multipart.ts';
import { pageQuery } from '../page-query.ts';
import { uploadForm } from '../upload-body.ts';

/** What a form has beside its file. */
const formOverheadBytes = 1024 * 1024;

const tags = ['Files'];
const params = z.object({ id: z.string() });
const fileAnswer = { description: 'The file', content: { 'application/json': { schema: fileSchema } } };

/** A plain schema: with a zod one the form would be read into memory before the handler sees it. */
const formSchema = {
  type: 'object' as const,
  required: ['file', 'purpose'],
  properties: {
    file: { type: 'string' as const, format: 'binary', description: 'JSONL when the purpose is `batch`' },
    purpose: { type: 'string' as const, enum: [...UPLOAD_PURPOSES] },
    'expires_after[anchor]': { type: 'string' as const, enum: ['created_at'] },
    'expires_after[seconds]': {
      type: 'integer' as const,
      minimum: EXPIRES_AFTER_SECONDS_MIN,
      maximum: EXPIRES_AFTER_SECONDS_MAX,
    },
  },
};

const create = createRoute({
  method: 'post',
  path: '/v1/files',
  tags,
  summary: 'Upload a file',
  request: { body: { required: true, content: { 'multipart/form-data': { schema: formSchema } } } },
  responses: { 200: fileAnswer },
});

const list = createRoute({
  method: 'get',
  path: '/v1/files',
  tags,
  summary: 'List files',
  request: { query: pageQuery({ max: 10_000, fallback: 10_000 }).extend({ purpose: z.string().max(64).optional() }) },
  responses: { 200: { description: 'A page of files', content: { 'application/json': { schema: filePageSchema } } } },
});

const retrieve = createRoute({
  method: 'get',
  path: '/v1/files/{id}',
  tags,
  summary: 'Retrieve a file',
  request: { params },
  responses: { 200: fileAnswer },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/files/{id}',
  tags,
  summary: 'Delete a file',
  request: { params },
  responses: { 200: { description: 'Deleted', content: { 'application/json': { schema: fileDeletedSchema } } } },
});

const content = createRoute({
  method: 'get',
  path: '/v1/files/{id}/content',
  tags,
  summary: 'Download a file; a single Range and If-None-Match are honoured',
  request: { params },
  responses: {
    200: {
      description: 'The bytes',
      content: { 'application/octet-stream': { schema: { type: 'string' as const, format: 'binary' } } },
    },
    206: { description: 'The bytes of the range' },
    304: { description: 'The client has it already' },
    410: { description: 'The server has lost the bytes' },
    416: { description: 'The range lies outside the file' },
  },
});

const purposeSchema = z.enum(UPLOAD_PURPOSES);

const fieldsSchema = z.object({
  purpose: purposeSchema,
  expires_after: expiresAfterSchema
    .extend({ seconds: z.coerce.number().pipe(expiresAfterSchema.shape.seconds) })
    .optional(),
});

/** `/v1/files`, as OpenAI has it. */
export function registerFiles(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  app.openapi(create, async (c) => {
    const { maxFileBytes } = deps.settings;
    const form = await openForm(uploadForm(c), {
      fileField: 'file',
      maxBytes: maxFileBytes + formOverheadBytes,
      tooLarge: () => fileTooLarge(maxFileBytes),
    });
    try {
      const file = await createFile(deps, c.get('context'), {
        content: form.file.content,
        purpose: form.early.has('purpose') ? parse(purposeField, form.early).purpose : undefined,
        details: async () => {
          const { purpose, expires_after } = parse(fieldsSchema, await form.fields());
          return { filename: form.file.filename, purpose, expiresAfterSeconds: expires_after?.seconds ?? null };
        },
      });
      return c.json(file, 200);
    } finally {
      await form.close();
    }
  });
  app.openapi(list, async (c) => c.json(await listFiles(deps, c.get('context'), c.req.valid('query')), 200));
  app.openapi(retrieve, async (c) => c.json(await retrieveFile(deps, c.get('context'), c.req.valid('param').id), 200));
  app.openapi(remove, async (c) => c.json(await deleteFile(deps, c.get('context'), c.req.valid('param').id), 200));
  app.openapi(content, (c) => sendContent(deps, c, c.req.valid('param').id));
}

const purposeField = z.object({ purpose: purposeSchema });

/** Reads text fields by a schema. OpenAI's clients spell members with brackets, some others with dots. */
function parse<T extends z.ZodType>(schema: T, fields: ReadonlyMap<string, string>): z.infer<T> {
  const nested = (member: string) => fields.get(`expires_after[${member}]`) ?? fields.get(`expires_after.${member}`);
  const expires = { anchor: nested('anchor'), seconds: nested('seconds') };
  const value = {
    purpose: fields.get('purpose'),
    ...(expires.anchor === undefined && expires.seconds === undefined ? {} : { expires_after: expires }),
  };
  const result = schema.safeParse(value);
  if (!result.success) throw invalidRequest(result.error, value);
  return result.data;
}

async function sendContent(deps: Deps, c: HonoContext<AppEnv>, id: string): Promise<Response> {
  const { row, open } = await fileContent(deps, c.get('context'), id);
  const etag = `"${row.sha256}"`;
  const headers = new Headers({
    'accept-ranges': 'bytes',
    etag,
    'content-type':
      row.planKey !== null || row.purpose === 'batch_output' ? 'application/jsonl' : 'application/octet-stream',
    'content-disposition': attachment(row.filename),
    'x-content-type-options': 'nosniff',
    'last-modified': new Date(row.createdAt * 1000).toUTCString(),
  });
  if (matchesEtag(c.req.header('if-none-match'), etag)) return new Response(null, { status: 304, headers });
  const ifRange = c.req.header('if-range');
  const asked = ifRange === undefined || ifRange === etag ? c.req.header('range') : undefined;
  const range = rangeOf(c, asked, row.bytes);
  const length = range?.length ?? row.bytes;
  headers.set('content-length', String(length));
  if (range !== null) {
    headers.set('content-range', `bytes ${range.offset}-${range.offset + range.length - 1}/${row.bytes}`);
  }
  const status = range === null ? 200 : 206;
  if (c.req.method === 'HEAD') return new Response(null, { status, headers });
  const pieces = await open(range ?? undefined, pieceMemory(c, length));
  return new Response(sendPieces(c, pieces), { status, headers });
}

/** The client is told the size with a refusal, so that it can ask again. */
function rangeOf(c: HonoContext<AppEnv>, header: string | undefined, size: number) {
  try {
    return parseRange(header, size);
  } catch (error) {
    if (error instanceof ApiError) c.header('content-range', `bytes */${size}`);
    throw error;
  }
}
