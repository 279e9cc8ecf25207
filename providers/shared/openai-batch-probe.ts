import { type BatchCall, type BatchProbe, type NativeRequest, ProviderError } from '../contract.ts';
import type { BatchAccess } from './openai-batch-client.ts';
import { removeFile } from './openai-batch-traces.ts';
import { uploadInput } from './openai-batch-upload.ts';

const upload = 'uploads a file for batches';
const remove = 'deletes it';

/** Some services look into a file at once: it holds what a batch could hold. */
const request: NativeRequest = {
  endpoint: '/v1/chat/completions',
  model: 'weir-doctor',
  body: '{"model":"weir-doctor","messages":[{"role":"user","content":"Hello"}],"max_tokens":1}',
};

/** Uploads a file of one line, which no batch reads, and deletes it. */
export async function probeFiles(
  access: BatchAccess,
  lineOf: (key: string, request: NativeRequest) => string,
  call: BatchCall,
): Promise<BatchProbe[]> {
  const line = new TextEncoder().encode(`${lineOf('weir-doctor', request)}\n`);
  const { endpoint, model } = request;
  const input = {
    token: `doctor-${call.nowMs}`,
    endpoint,
    model,
    lines: 1,
    bytes: line.length,
    async *open() {
      yield line;
    },
    options: {},
  };
  let fileId: string;
  try {
    fileId = (await uploadInput(access, input, call)).id;
  } catch (error) {
    const remedy = 'Give its key the right to write files, and make room if its file storage is full.';
    return [{ name: upload, ok: false, remedy: because(error, remedy) }];
  }
  try {
    await removeFile(access, fileId, call);
    return [
      { name: upload, ok: true, remedy: null },
      { name: remove, ok: true, remedy: null },
    ];
  } catch (error) {
    const remedy = `Give its key the right to delete files, and delete ${fileId}: Weir tidies up after each batch.`;
    return [
      { name: upload, ok: true, remedy: null },
      { name: remove, ok: false, remedy: because(error, remedy) },
    ];
  }
}

function because(error: unknown, remedy: string): string {
  return error instanceof ProviderError ? `${remedy} It said: ${error.failure.message}` : remedy;
}
