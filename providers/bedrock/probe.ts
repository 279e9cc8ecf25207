import { type BatchCall, type BatchProbe, ProviderError } from '../contract.ts';
import { layoutOf, uriOf } from './layout.ts';
import type { Bucket } from './objects.ts';

const content = '{"recordId":"weir-doctor"}\n';

/** Writes a small object below the prefix, finds it, reads it back and deletes it: the rights that a job's files need. */
export async function probeBucket(bucket: Bucket, prefix: string, call: BatchCall): Promise<BatchProbe[]> {
  const key = layoutOf(prefix, `doctor-${call.nowMs}`).input;
  const place = uriOf(bucket.name, key);
  const steps: BatchProbe[] = [];
  const written = await step(
    'writes to the bucket',
    's3:PutObject (and kms:GenerateDataKey for a key of your own)',
    () => bucket.upload(key, once(content), call),
  );
  if (!written) return steps;
  await step('reads it back', 's3:GetObject (and kms:Decrypt for a key of your own)', async () => {
    if ((await read(bucket, key, call)) !== content) throw new Error(`${place} does not hold what was written.`);
  });
  await step('deletes it', 's3:DeleteObject', () => bucket.delete(key, call));
  return steps;

  async function step(name: string, right: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      steps.push({ name, ok: true, remedy: null });
      return true;
    } catch (error) {
      const said = error instanceof ProviderError ? error.failure.message : String(error);
      steps.push({ name, ok: false, remedy: `Allow ${right} on ${uriOf(bucket.name, prefix)}*. It said: ${said}` });
      return false;
    }
  }
}

async function read(bucket: Bucket, key: string, call: BatchCall): Promise<string> {
  for await (const object of bucket.list(key, call)) {
    const { body, abort } = await bucket.read(object, 0, call);
    call.signal?.addEventListener('abort', abort, { once: true });
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of body) text += decoder.decode(chunk, { stream: true });
    return text;
  }
  throw new Error(`${uriOf(bucket.name, key)} is not listed after it was written.`);
}

async function* once(text: string): AsyncIterable<Uint8Array> {
  yield new TextEncoder().encode(text);
}
