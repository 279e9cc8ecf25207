import { type BatchCall, type BatchProbe, ProviderError } from '../contract.ts';
import type { GcsBucket } from '../shared/gcs.ts';

const content = new TextEncoder().encode('{"weir":"doctor"}\n');

/** Writes a small object below the folder, lists and reads it back, and deletes it: the rights that a job's files need. */
export async function probeBucket(bucket: GcsBucket, folder: string, call: BatchCall): Promise<BatchProbe[]> {
  const name = `${folder}doctor-${call.nowMs}/input.jsonl`;
  const place = bucket.uri(name);
  const steps: BatchProbe[] = [];
  const written = await step('writes to the bucket', 'storage.objects.create', () => bucket.upload(name, once, call));
  if (!written) return steps;
  await step('reads it back', 'storage.objects.get', async () => {
    if ((await bytesOf(bucket, name, call)) !== content.length) throw new Error(`${place} is not what was written.`);
  });
  await step('deletes it', 'storage.objects.delete', async () => {
    if (!(await bucket.remove(name, call))) throw new Error(`${place} was gone already.`);
  });
  return steps;

  async function step(words: string, right: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      steps.push({ name: words, ok: true, remedy: null });
      return true;
    } catch (error) {
      const said = error instanceof ProviderError ? error.failure.message : String(error);
      steps.push({ name: words, ok: false, remedy: `Grant ${right} on gs://${bucket.bucket}. It said: ${said}` });
      return false;
    }
  }
}

/** Bytes of an object, whose length and checksum the download checks. */
async function bytesOf(bucket: GcsBucket, name: string, call: BatchCall): Promise<number> {
  let bytes = 0;
  for await (const object of bucket.list(name, call)) {
    for await (const chunk of bucket.download(object, call)) bytes += chunk.length;
  }
  return bytes;
}

async function* once(): AsyncIterable<Uint8Array> {
  yield content;
}
