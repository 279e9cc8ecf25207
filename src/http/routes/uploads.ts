import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Deps } from '../../ports/deps.ts';
import {
  UPLOAD_PART_BYTES_MAX,
  uploadCompleteSchema,
  uploadCreateSchema,
  uploadPartSchema,
  uploadSchema,
} from '../../protocol/upload.ts';
import { addUploadPart, partTooLarge } from '../../services/uploads/add-part.ts';
import { cancelUpload } from '../../services/uploads/cancel.ts';
import { completeUpload } from '../../services/uploads/complete.ts';
import { createUpload } from '../../services/uploads/create.ts';
import type { AppEnv } from '../env.ts';
import { openForm } from '../multipart.ts';
import { uploadForm } from '../upload-body.ts';

/** What a form has beside its file. */
const formOverheadBytes = 1024 * 1024;

const tags = ['Uploads'];
const params = z.object({ id: z.string() });
const uploadAnswer = { description: 'The upload', content: { 'application/json': { schema: uploadSchema } } };

const create = createRoute({
  method: 'post',
  path: '/v1/uploads',
  tags,
  summary: 'Start an upload in parts; it ends after an hour',
  request: { body: { required: true, content: { 'application/json': { schema: uploadCreateSchema } } } },
  responses: { 200: uploadAnswer },
});

const addPart = createRoute({
  method: 'post',
  path: '/v1/uploads/{id}/parts',
  tags,
  summary: 'Send a part of at most 64 MiB; parts may be sent at the same time',
  request: {
    params,
    body: {
      required: true,
      content: {
        // A plain schema: with a zod one the form would be read into memory before the handler sees it.
        'multipart/form-data': {
          schema: {
            type: 'object' as const,
            required: ['data'],
            properties: { data: { type: 'string' as const, format: 'binary' } },
          },
        },
      },
    },
  },
  responses: { 200: { description: 'The part', content: { 'application/json': { schema: uploadPartSchema } } } },
});

const complete = createRoute({
  method: 'post',
  path: '/v1/uploads/{id}/complete',
  tags,
  summary: 'Make a file of the parts, in the order given',
  request: { params, body: { required: true, content: { 'application/json': { schema: uploadCompleteSchema } } } },
  responses: { 200: uploadAnswer },
});

const cancel = createRoute({
  method: 'post',
  path: '/v1/uploads/{id}/cancel',
  tags,
  summary: 'Cancel an upload',
  request: { params },
  responses: { 200: uploadAnswer },
});

/** `/v1/uploads`, as OpenAI has it. */
export function registerUploads(app: OpenAPIHono<AppEnv>, deps: Deps): void {
  app.openapi(create, async (c) => c.json(await createUpload(deps, c.get('context'), c.req.valid('json')), 200));
  app.openapi(addPart, async (c) => {
    const form = await openForm(uploadForm(c), {
      fileField: 'data',
      maxBytes: UPLOAD_PART_BYTES_MAX + formOverheadBytes,
      tooLarge: partTooLarge,
    });
    try {
      const part = await addUploadPart(deps, c.get('context'), {
        uploadId: c.req.valid('param').id,
        content: form.file.content,
        ended: async () => void (await form.fields()),
      });
      return c.json(part, 200);
    } finally {
      await form.close();
    }
  });
  app.openapi(complete, async (c) => {
    const { part_ids, md5 } = c.req.valid('json');
    const input = { uploadId: c.req.valid('param').id, partIds: part_ids, md5 };
    return c.json(await completeUpload(deps, c.get('context'), input), 200);
  });
  app.openapi(cancel, async (c) => c.json(await cancelUpload(deps, c.get('context'), c.req.valid('param').id), 200));
}
